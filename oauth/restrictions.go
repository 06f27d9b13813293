package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/tokens"
	"postern/web"
)

// A token for a bot opens what its caveats say. Here are those that most bots need, by the words that a person chooses
// from, and what a list of caveats opens, in words that a person understands.

const (
	clientPath = "/_matrix/client/v3"
	roomsPath  = clientPath + "/rooms"
)

// The ready-made restrictions, as the form has them.
const (
	mayAll  = "all"
	mayRead = "read"
	mayRoom = "room"
	maySend = "send"
	mayOwn  = "own" // what the person writes
)

// readyMade are the caveats of a ready-made restriction.
func readyMade(may, room string) []string {
	switch may {
	case mayRead:
		// Not Synapse's own admin API, which lies elsewhere.
		return []string{"method in GET,HEAD", "path under /_matrix"}
	case mayRoom:
		return []string{"method in PUT", "path under " + roomsPath + "/" + room + "/send"}
	case maySend:
		return []string{"method in PUT", "path under " + roomsPath + "/*/send"}
	}
	return nil
}

// Bounds of what somebody writes.
const (
	maxCaveatLines = 20
	maxCaveatBytes = 400
)

// BadCaveat says which of several caveats a token for a bot cannot have.
type BadCaveat struct {
	Line  int // from 1
	Text  string
	Cause error
}

// Error implements error.
func (e *BadCaveat) Error() string {
	return fmt.Sprintf("%q: %v; write it like 'method in GET,PUT', 'path under /_matrix/client/v3/sync' or "+
		"'addr in 192.0.2.0/24'", e.Text, e.Cause)
}

// Unwrap gives the cause.
func (e *BadCaveat) Unwrap() error { return e.Cause }

var (
	errManyCaveats = fmt.Errorf("there are more than %d", maxCaveatLines)
	errLongCaveat  = fmt.Errorf("it has more than %d bytes", maxCaveatBytes)
	errOwnDevice   = errors.New("the token has a device of its own")
	errOver        = errors.New("that time is over")
	errNoMethod    = errors.New("methods are written in capitals, with nothing but commas between them")
)

// ParseCaveats reads what somebody has written to restrict a token for a bot. It refuses what the token could never be
// used with: the error is a [*BadCaveat]. Empty lines count, and are left out.
func ParseCaveats(lines []string, now time.Time) (caveats []tokens.Caveat, err error) {
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		caveat, err := parseCaveat(line, now)
		if err == nil && len(caveats) == maxCaveatLines {
			err = errManyCaveats
		}
		if err != nil {
			return nil, &BadCaveat{i + 1, line, err}
		}
		caveats = append(caveats, caveat)
	}
	return caveats, nil
}

func parseCaveat(line string, now time.Time) (tokens.Caveat, error) {
	if len(line) > maxCaveatBytes {
		return tokens.Caveat{}, errLongCaveat
	}
	caveat, err := tokens.ParseCaveat(line)
	if err == nil {
		err = tokens.Caveats().Sound(caveat)
	}
	if err != nil {
		return caveat, err
	}
	switch before, ends := tokens.Before([]string{line}); {
	case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }):
		return caveat, tokens.ErrMalformed // it could not be kept one a line
	case caveat.Key == "device_id":
		return caveat, errOwnDevice
	case ends && !before.After(now):
		return caveat, errOver
	case caveat.Key == "method" && strings.Trim(caveat.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ,") != "":
		return caveat, errNoMethod
	}
	return caveat, nil
}

// Example is a request that a client may make, and whether a token opens it.
type Example struct {
	Text         string // the name of a text that says what it does
	Method, Path string
	Open         bool
	also         string // another path that does the same
}

// Words say what it does, in English.
func (x Example) Words() string { return web.Say("en", x.Text) }

// examples are requests that most people understand.
func examples(room string) []Example {
	in := roomsPath + "/" + room
	return []Example{
		{Text: "mayWhoami", Method: http.MethodGet, Path: clientPath + "/account/whoami"},
		{Text: "maySync", Method: http.MethodGet, Path: clientPath + "/sync"},
		{Text: "mayHistory", Method: http.MethodGet, Path: in + "/messages"},
		{Text: "mayDownload", Method: http.MethodGet, Path: "/_matrix/client/v1/media/download/example.org/file"},
		{Text: "maySendThere", Method: http.MethodPut, Path: in + "/send/m.room.message/1"},
		{Text: "maySendElsewhere", Method: http.MethodPut,
			Path: roomsPath + "/" + otherRoom + "/send/m.room.message/1"},
		{Text: "mayUpload", Method: http.MethodPost, Path: "/_matrix/media/v3/upload"},
		{Text: "mayRedact", Method: http.MethodPut, Path: in + "/redact/$event/1",
			also: in + "/send/m.room.redaction/1"},
		{Text: "mayState", Method: http.MethodPut, Path: in + "/state/m.room.name"},
		{Text: "mayInvite", Method: http.MethodPost, Path: in + "/invite"},
		{Text: "mayJoin", Method: http.MethodPost, Path: clientPath + "/join/" + otherRoom},
		{Text: "mayProfile", Method: http.MethodPut, Path: clientPath + "/profile/@you/displayname"},
		{Text: "maySignOut", Method: http.MethodPost, Path: clientPath + "/logout/all"},
	}
}

const (
	someRoom  = "!room:example.org"
	otherRoom = "!another:example.org"
)

// Opens says of some requests whether a token with these caveats opens them, judged as the server does. What depends on
// who asks and when is left out.
func Opens(caveats []tokens.Caveat) []Example {
	all := examples(roomOf(caveats))
	for i, x := range all {
		switch {
		case opens(caveats, x.Method, x.Path):
			all[i].Open = true
		case x.also != "" && opens(caveats, x.Method, x.also):
			all[i].Open, all[i].Path = true, x.also
		}
	}
	return all
}

// releases are what may stand in a path in place of the contract's v3, before a homeserver. A token that is restricted
// to one of them opens that.
var releases = []string{"/v3/", "/r0/", "/v1/", "/unstable/", "/api/v1/"}

// opens reports whether caveats hold for a request, by one of its path's names.
func opens(caveats []tokens.Caveat, method, path string) bool {
	return slices.ContainsFunc(releases, func(release string) bool {
		request := tokens.Request{Method: method, Path: strings.Replace(path, "/v3/", release, 1)}
		return !slices.ContainsFunc(caveats, func(c tokens.Caveat) bool {
			judge := tokens.Caveats()[c.Key]
			return (c.Key == "method" || c.Key == "path") && judge(c.Operator, c.Value, request) != nil
		})
	})
}

// roomOf is the room that the caveats name, as a path has it; or one that stands for any.
func roomOf(caveats []tokens.Caveat) string {
	for _, c := range caveats {
		rest, found := strings.CutPrefix(c.Value, roomsPath+"/")
		room, _, _ := strings.Cut(rest, "/")
		if c.Key == "path" && found && room != "" && room != "*" {
			return room
		}
	}
	return someRoom
}

// kindOf finds the ready-made restriction that caveats are, and with it the room, if they name one, and the addresses.
func kindOf(caveats []string) (may, room, from string) {
	var rest []string
	var parsed []tokens.Caveat
	for _, text := range caveats {
		c, _ := tokens.ParseCaveat(text) // they were parsed before they were kept
		if c.Key == "addr" && from == "" {
			from = c.Value
			continue
		}
		rest, parsed = append(rest, text), append(parsed, c)
	}
	room = roomOf(parsed)
	for _, may := range []string{mayAll, mayRead, maySend, mayRoom} {
		if slices.Equal(rest, readyMade(may, room)) {
			if plain, err := url.PathUnescape(room); err == nil && may == mayRoom {
				return may, plain, from
			}
			return may, "", from
		}
	}
	return mayOwn, "", from
}

// roomSegment is a room's id as a path caveat has it; not ok for what is no room's id. Appendices, "Room IDs".
func roomSegment(id string) (segment string, ok bool) {
	if !strings.HasPrefix(id, "!") || len(id) < 2 || len(id) > 255 ||
		strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' || r == '*' }) {
		return "", false
	}
	return strings.ReplaceAll(id, "%", "%25"), true
}
