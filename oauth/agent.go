package oauth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mileusna/useragent"

	"postern/db"
	"postern/web"
)

// What a client says of itself, so that a person recognises it. It may say anything: it is shown to whom it belongs,
// and nothing is decided by it.

// maxShown is how many characters of what a stranger wrote are shown.
const maxShown = db.MaxDeviceName

// plain is a text that a stranger wrote, on one line, without what nobody sees: control characters, and those that turn
// the direction of writing. What joins letters and emoji stays. Unicode Technical Report #36, section 2.5.
func plain(text string) string {
	visible := func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return ' '
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		}
		return r
	}
	text = strings.Join(strings.Fields(strings.Map(visible, text)), " ")
	if strings.Trim(text, "\u200c\u200d ") == "" {
		return ""
	}
	return text
}

// shown is plain, and cut where it is too long.
func shown(text string) string {
	text = plain(text)
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return text
}

// agent is what a User-Agent header says.
type agent struct {
	web.Agent
	browser bool // a page may run in it
	library bool // it names no program, but what that is made with
}

// programs are those that a header names in another way than people do, by how it begins.
var programs = []struct {
	begins  string
	name    string
	library bool
}{
	{"mtxclient ", "nheko", false},
	{"nio", "matrix-nio", true},
	{"Python/", "Python", true}, // "Python/3.11 aiohttp/3.8.4", such as matrix-nio
	{"Dart/", "Dart", true},     // "Dart/3.5 (dart:io)", such as FluffyChat
	{"Element dbg/", "Element", false},
	{"Go-http-client/", "Go", true},
	{"node", "Node.js", true},
	{"okhttp/", "okhttp", true},
}

// systems are those that the library does not find: apps name them after the model, "(iPhone 15 Pro; iOS 17.5; …)".
var systems = []struct{ says, name string }{
	{"; iOS ", "iOS"}, {"; iPadOS ", "iPadOS"}, {"; macOS ", "macOS"}, {"; tvOS ", "tvOS"},
}

// readAgent reads a User-Agent header.
func readAgent(header string) agent {
	header = plain(header)
	if header == "" {
		return agent{}
	}
	parsed := useragent.Parse(header)
	a := agent{Agent: web.Agent{Name: parsed.Name, System: parsed.OS}}
	a.browser = strings.HasPrefix(header, "Mozilla/") && !strings.Contains(header, " Electron/")
	if a.Name == "ElementNightly" {
		a.Name = "Element Nightly"
	}
	for _, p := range programs {
		if strings.HasPrefix(header, p.begins) {
			a.Name, a.library = p.name, p.library
		}
	}
	for _, s := range systems {
		if a.System == "" && strings.Contains(header, s.says) {
			a.System = s.name
		}
	}
	a.Name = shown(a.Name)
	return a
}

// among says which of it is not told by a name already.
func (a agent) among(name string) web.Agent {
	has := func(word string) bool {
		return word != "" && strings.Contains(strings.ToLower(name), strings.ToLower(word))
	}
	rest := a.Agent
	if has(rest.System) {
		rest.System = ""
	}
	if a.library || has(rest.Name) {
		rest.Name = ""
	}
	return rest
}

// deviceName is how a device is called that a client begins a session on, until somebody calls it otherwise. The
// homeserver, and by it other people, hear this name, so it is in one language.
func deviceName(client, header string) string { return readAgent(header).device(client) }

func (a agent) device(client string) string {
	rest, name := a.among(client), client
	switch {
	case a.browser && rest.Name != "" && rest.System != "":
		name += " in " + rest.Name + " on " + rest.System
	case rest.System != "":
		name += " on " + rest.System
	}
	if utf8.RuneCountInString(name) > db.MaxDeviceName {
		return client
	}
	return name
}

// beside is what an agent says that the device which it is named with does not say already.
func beside(a agent, d web.Device) web.Agent {
	says := strings.ToLower(d.Name)
	if d.Name == "" {
		says = strings.ToLower(d.Agent.Name + " " + d.Agent.System)
	}
	if strings.Contains(says, strings.ToLower(a.Name)) && strings.Contains(says, strings.ToLower(a.System)) {
		return web.Agent{}
	}
	return a.Agent
}

// named gives a device without a name one, and leaves out beside the name what that says already.
func named(d web.Device, a agent) web.Device {
	switch {
	case d.Name == "" && d.App != "":
		d.Name = a.device(d.App)
	case d.Name == "" && a.Agent != (web.Agent{}):
		d.Agent = a.Agent // it is called by that
		return d
	case d.Name == "":
		d.Name = d.ID
	}
	if strings.Contains(strings.ToLower(d.Name), strings.ToLower(d.App)) {
		d.App = ""
	}
	d.Agent = a.among(d.Name + " " + d.App)
	return d
}
