package mail

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/mail"
	"strings"
	"sync"
	"text/template"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"postern/db"
	"postern/handlers"
)

//go:embed texts
var files embed.FS

// english is what a reader gets in whose language there are no texts.
const english = "en"

// catalogue gives the texts of a language. They are read when a mail is written, and not kept: that is rare.
func catalogue(language string) (map[string]string, error) {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	raw, err := files.ReadFile("texts/" + base + ".json")
	if err != nil {
		base = english
		raw, err = files.ReadFile("texts/" + base + ".json")
	}
	var texts map[string]string
	if err == nil {
		err = json.Unmarshal(raw, &texts)
	}
	if err != nil {
		return nil, err // unreachable: the files are part of the program
	}
	texts["lang"] = base
	return texts, nil
}

// parsed are the two forms of every mail.
var parsed = sync.OnceValues(func() (*template.Template, *htmltemplate.Template) {
	return template.Must(template.ParseFS(files, "texts/mail.txt")),
		htmltemplate.Must(htmltemplate.ParseFS(files, "texts/mail.html"))
})

// Letters writes mails.
type Letters struct {
	ServerName string
	From       mail.Address
	ReplyTo    string
	Unseal     func(row db.Interaction, state any, what string) bool // [handlers.Sealer.Unseal]
}

// letter is what a mail says.
type letter struct {
	Lang, Subject, Hello, Text, Link, Button string
	Facts                                    []fact
	After, Footer                            string
	Lines                                    []string
}

// fact is something that the mail tells, and what it is.
type fact struct{ Label, Value string }

var (
	errNotSealed = errors.New("it holds a link and was not sealed by a server of this database")
	errSealed    = errors.New("it cannot be opened: this server has another master key than the one that wrote it")
)

// values reads what a delivery says. What holds a link must have been sealed: else whoever can write to the database
// could send people anywhere in this server's name.
func (l *Letters) values(v db.Delivery) (values map[string]string, err error) {
	if bytes.HasPrefix(v.Sealed, []byte("{")) {
		if err = json.Unmarshal(v.Sealed, &values); err == nil && values[handlers.MailLink] != "" {
			err = errNotSealed
		}
		return values, err
	}
	if !l.Unseal(db.Interaction{ID: v.ID, Expires: v.Expires, Sealed: v.Sealed}, &values, "a mail") {
		return nil, errSealed
	}
	return values, nil
}

// Write writes the mail of a delivery.
func (l *Letters) Write(v db.Delivery) (*gomail.Msg, error) {
	values, err := l.values(v)
	if err != nil {
		return nil, err
	}
	texts, err := catalogue(v.Language)
	if err != nil {
		return nil, err
	}
	if texts[v.Kind+".subject"] == "" {
		return nil, fmt.Errorf("there are no texts for a mail of the kind %q", v.Kind)
	}
	return l.message(v, l.compose(v, values, texts))
}

// compose says what there is to say.
func (l *Letters) compose(v db.Delivery, values, texts map[string]string) letter {
	out := letter{Lang: texts["lang"], Hello: texts["hello"], Text: fmt.Sprintf(texts[v.Kind+".text"], l.ServerName),
		Link: values[handlers.MailLink], Button: texts[v.Kind+".button"], After: texts[v.Kind+".after"],
		Subject: fmt.Sprintf(texts[v.Kind+".subject"], l.ServerName),
		Footer:  fmt.Sprintf(texts["footer"], l.ServerName)}
	add := func(label, value string) {
		if value != "" {
			out.Facts = append(out.Facts, fact{texts[label], value})
		}
	}
	if v.Localpart != "" && (v.Kind != handlers.MailVerify || !looksLikeLink(v.Localpart)) {
		add("account", oneLine(string(handlers.NewUserID(v.Localpart, l.ServerName))))
	}
	add("device", harmless(values["device"]))
	add("from", oneLine(values[handlers.MailFrom]))
	if values["operator"] != "" {
		add("from", texts["operator"])
	}
	if v.Kind != handlers.MailNotice && (out.Link == "" || values[handlers.MailFrom] != "") { // it says itself when
		add("when", stamp(v.Created))
	}
	if out.Link != "" {
		add("until", stamp(v.Expires))
	}
	if what := oneLine(values["what"]); what != "" {
		out.Subject = fmt.Sprintf(texts[v.Kind+".subject"], l.ServerName) + ": " + what
	}
	for line := range strings.Lines(values["text"]) {
		out.Lines = append(out.Lines, oneLine(strings.TrimSuffix(line, "\n")))
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// maxValue bounds a value, in bytes.
const maxValue = 300

// oneLine is a text of somebody else's on one line. It is no encoded word either, which a mail program would decode
// (RFC 2047, section 2).
func oneLine(text string) string {
	return db.Clip(strings.ReplaceAll(handlers.Printable(text), "=?", "= ?"), maxValue)
}

// harmless is a text that a stranger chose, without what mail programs make links of: who logs in with a stolen
// password names the device, and must not talk to its owner in the server's name.
func harmless(text string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("-_+(),'’ ", r) {
			return r
		}
		return ' '
	}, text)
	return db.Clip(strings.Join(strings.Fields(kept), " "), 80)
}

// looksLikeLink reports whether mail programs could make a link of an account's name, such as www.evil.example/prize.
// Whoever signs up chooses it, and the address that is to be confirmed, which may be somebody else's.
func looksLikeLink(localpart string) bool { return strings.ContainsAny(localpart, "./") }

// message puts a mail together.
func (l *Letters) message(v db.Delivery, content letter) (*gomail.Msg, error) {
	plain, html := parsed()
	var text, rich bytes.Buffer
	if err := cmp.Or(plain.Execute(&text, content), html.Execute(&rich, content)); err != nil {
		return nil, err
	}
	to, err := handlers.Address(strings.TrimPrefix(v.Target, "mailto:"))
	if err != nil {
		return nil, &Refused{err}
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	err = cmp.Or(m.FromFormat(l.From.Name, l.From.Address), m.To(to))
	if err == nil && l.ReplyTo != "" {
		err = m.ReplyTo(l.ReplyTo)
	}
	m.Subject(content.Subject)
	m.SetDateWithValue(v.Created)
	m.SetMessageIDWithValue(messageID(v.ID, l.From.Address))
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, section 5
	m.SetGenHeader("Content-Language", content.Lang)
	m.SetBodyString(gomail.TypeTextPlain, text.String())
	m.AddAlternativeString(gomail.TypeTextHTML, rich.String())
	return m, err
}

// messageID is that of a delivery, whichever server sends it and however often.
func messageID(id, from string) string {
	sum := sha256.Sum256([]byte(id))
	_, domain, _ := strings.Cut(from, "@")
	return hex.EncodeToString(sum[:16]) + "@" + domain
}
