// Package web renders the pages for people: sign in, create an account, let a client in, the account, errors. It gets
// what a page shows, and knows neither tokens nor a database.
//
// # Laws
//
//   - A page needs no script, but to ask for a passkey. Everything works with a keyboard, a screen reader, on a phone
//     and in the dark.
//   - Nothing runs or loads that the server did not send with the page: the policy allows one stylesheet by its hash,
//     where a passkey is asked for one script by its hash, and forms that come back here.
//   - A page says who asks, for what, and for whom. What a client says of itself is marked as unverified.
//   - Texts stand in texts/, one file a language; a test holds every page against every file.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

//go:embed pages texts
var files embed.FS

// Wrong is what was wrong with what was typed: a name of texts/, and what goes into it.
type Wrong struct {
	Text   string
	Values []any
}

// Page is one of the views.
type Page interface{ name() string }

// english is what a browser gets that asks for a language which there is no file for.
const english = "en"

// languages are those of texts/, English first.
var languages = []string{english, "de"}

var matcher = language.NewMatcher([]language.Tag{language.English, language.German})

// texts are the catalogues by language.
var texts = readTexts()

func readTexts() map[string]map[string]string {
	all := make(map[string]map[string]string)
	for _, lang := range languages {
		raw, err := files.ReadFile("texts/" + lang + ".json")
		var catalogue map[string]string
		if err == nil {
			err = json.Unmarshal(raw, &catalogue)
		}
		if err != nil {
			panic(err) // unreachable: the files are part of the program
		}
		all[lang] = catalogue
	}
	return all
}

// parsed are the pages by language.
var parsed = parse(style, "pages/*.html", "pages/parts/*.html")

// parsedDesk are those of the operator's desk, which few people ever ask for.
var parsedDesk = sync.OnceValue(func() map[string]*template.Template {
	return parse(deskStyle(), "pages/layout.html", "pages/parts/*.html", "pages/desk/*.html", "pages/desk/parts/*.html")
})

// deskStyle is their stylesheet.
var deskStyle = sync.OnceValue(func() string { return style + read("desk/desk.css") })

func parse(style string, patterns ...string) map[string]*template.Template {
	all := make(map[string]*template.Template)
	for _, lang := range languages {
		funcs := template.FuncMap{
			"lang":   func() string { return lang },
			"style":  func() template.CSS { return template.CSS(style) }, // a file of the program's own
			"script": func() template.JS { return template.JS(script) },  // likewise
			"t":      func(key string, values ...any) string { return Say(lang, key, values...) },
			"when":   func(m Moment) string { return when(lang, m) },
			"text":   func(key string) string { return Say(lang, key) },
			"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
			"minute": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
			"date":   func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
			"fours":  fours,
			// Apps for one-time codes have an address of a scheme that the templates do not know.
			"otpauth": func(address string) template.URL { return template.URL(address) },
			"wrong":   func(w Wrong) string { return Say(lang, w.Text, w.Values...) },
		}
		all[lang] = template.Must(template.New("").Funcs(funcs).ParseFS(files, patterns...))
	}
	return all
}

// Say is a text in a language.
func Say(lang, key string, values ...any) string { return fmt.Sprintf(texts[lang][key], values...) }

// when is a moment in words, the more exact the nearer it is. The reader's time zone is not known, so it names its own.
func when(lang string, m Moment) string {
	at, now := m.At.UTC(), m.Now.UTC()
	midnight := func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }
	switch days := int(midnight(now).Sub(midnight(at)) / (24 * time.Hour)); {
	case days == 0:
		return Say(lang, "today", at.Format("15:04 UTC"))
	case days == 1:
		return Say(lang, "yesterday", at.Format("15:04 UTC"))
	case days > 1 && days < 7:
		return Say(lang, "daysAgo", days)
	}
	return at.Format(time.DateOnly)
}

// fours writes a text in groups of four, as people copy it.
func fours(text string) string { return strings.TrimSpace(groups.ReplaceAllString(text, "$0 ")) }

var groups = regexp.MustCompile(".{4}")

var style, script = read("style.css"), read("passkeys.js")

func read(file string) string {
	raw, err := files.ReadFile("pages/" + file)
	if err != nil {
		panic(err) // unreachable: the file is part of the program
	}
	return string(raw)
}

// Render answers a request with a page, in the language that its browser asks for. Why is why they see that page, and
// not what they have sent a form for: it stands under the page's title. To are the addresses, beside this server, to
// which a form of the page may lead: browsers hold the redirect that answers it against the policy, too.
func Render(w http.ResponseWriter, r *http.Request, status int, page Page, why Wrong, to ...string) error {
	var html, alert bytes.Buffer
	set, style := parsed, style
	if _, is := page.(deskPage); is {
		set, style = parsedDesk(), deskStyle()
	}
	pages := set[Language(r)]
	err := pages.ExecuteTemplate(&html, page.name()+".html", page)
	if err == nil {
		err = pages.ExecuteTemplate(&alert, "wrong", why)
	}
	if err != nil {
		return err
	}
	body := bytes.Replace(html.Bytes(), []byte(titleEnd), []byte(titleEnd+alert.String()), 1)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(page, style, to))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the address holds what the client asks for
	h.Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// titleEnd ends the title of every page, in the layout's head.
const titleEnd = "</h1>\n"

// Language is the one of the catalogues that fits a request best.
func Language(r *http.Request) string {
	tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // what cannot be read asks for nothing
	_, i, _ := matcher.Match(tags...)
	return languages[i]
}

// policy is Content Security Policy Level 3.
func policy(page Page, style string, to []string) string {
	scripts := ""
	if s, can := page.(scripted); can && s.scripted() {
		scripts = "; script-src " + hash(script)
	}
	return "default-src 'none'; style-src " + hash(style) + scripts + "; form-action " +
		strings.Join(append([]string{"'self'"}, to...), " ") + "; frame-ancestors 'none'; base-uri 'none'"
}

// hash names what a policy allows.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pages names the files of the pages.
func pages() []string {
	var names []string
	for _, folder := range []string{"pages", "pages/desk"} {
		entries, err := files.ReadDir(folder)
		if err != nil {
			panic(err) // unreachable
		}
		for _, e := range entries {
			if path.Ext(e.Name()) == ".html" {
				names = append(names, path.Join(folder, e.Name()))
			}
		}
	}
	return names
}
