package mail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// kinds are all kinds of mails that are sent, and whether they have a link.
func kinds() map[string]bool {
	all := map[string]bool{handlers.MailVerify: true, handlers.MailReset: true, handlers.MailAppVerify: true,
		handlers.MailAppReset: true,
		handlers.MailNotice:   false, handlers.MailKnown: false, handlers.MailTest: false}
	for _, kind := range told {
		all[kind] = false
	}
	return all
}

var verbs = regexp.MustCompile(`%[^s]|%$`)

// TestTexts: each language has the texts of each kind, and no other; each has the same places for the server's name.
func TestTexts(t *testing.T) {
	t.Parallel()
	of := make(map[string]map[string]string)
	err := fs.WalkDir(files, "texts", func(path string, _ fs.DirEntry, err error) error {
		if name, is := strings.CutSuffix(path, ".json"); err == nil && is {
			raw, readErr := files.ReadFile(path)
			texts := make(map[string]string)
			of[strings.TrimPrefix(name, "texts/")], err = texts, readErr
			if err == nil {
				err = json.Unmarshal(raw, &texts)
			}
		}
		return err
	})
	if err != nil || len(of) < 2 {
		t.Fatalf("%v, there are %d languages", err, len(of))
	}
	known := []string{"hello", "footer", "account", "device", "from", "operator", "when", "until"}
	for kind, link := range kinds() {
		known = append(known, kind+".subject", kind+".text", kind+".after")
		if link {
			known = append(known, kind+".button")
		}
	}
	for language, texts := range of {
		for key, text := range texts {
			if !slices.Contains(known, key) {
				t.Errorf("%s: nobody reads %s", language, key)
			}
			if strings.TrimSpace(text) != text || text == "" || strings.ContainsAny(text, "\n<>") ||
				verbs.MatchString(text) {
				t.Errorf("%s: %s is %q", language, key, text)
			}
			if here, there := strings.Count(text, "%s"), strings.Count(of[english][key], "%s"); here != there {
				t.Errorf("%s: %s has %d names, and %d in English", language, key, here, there)
			}
		}
		for _, key := range known {
			if texts[key] == "" {
				t.Errorf("%s has no %s", language, key)
			}
		}
	}
}

// read is a mail as a mail program has it.
type read struct {
	header      mail.Header
	subject     string
	plain, html string
}

// written writes a mail and reads it.
func written(t *testing.T, v db.Delivery) (r read, raw string) {
	t.Helper()
	m, err := letters().Write(v)
	if err != nil {
		t.Fatal(err)
	}
	var buffer bytes.Buffer
	if _, err := m.WriteTo(&buffer); err != nil {
		t.Fatal(err)
	}
	raw = buffer.String()
	parsed, err := mail.ReadMessage(&buffer)
	if err != nil {
		t.Fatal(err)
	}
	r.header = parsed.Header
	if r.subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		t.Error(err)
	}
	kind, parameters, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %q, %v", kind, err)
	}
	parts := multipart.NewReader(parsed.Body, parameters["boundary"])
	for _, into := range []*string{&r.plain, &r.html} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		*into = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return r, raw
}

// sealedBy puts values into a delivery as a server does; see letters.
func sealedBy(v db.Delivery, values map[string]string) db.Delivery {
	plain, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	v.Sealed = append([]byte{1}, plain...)
	return v
}

var at = time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC)

func delivery(kind, language string) db.Delivery {
	return db.Delivery{ID: kind + " 1", Kind: kind, Target: "mailto:alice@example.org", Localpart: "alice",
		Language: language, Created: at, Expires: at.Add(time.Hour)}
}

const link = "https://example.org/recover?token=abc-_~&more=1"

// TestLetters: each mail says in both forms and in the reader's language whose account it is about, on which server,
// what happened, and what to do; it loads nothing, and its only link is the one that it is about.
func TestLetters(t *testing.T) {
	t.Parallel()
	for kind, hasLink := range kinds() {
		for language, hello := range map[string]string{"en": "Hello,", "de": "Guten Tag,", "de-AT": "Guten Tag,",
			"fr": "Hello,", "": "Hello,", "../../x": "Hello,"} {
			values := map[string]string{"device": "Alices Telefon", "from": "192.0.2.7", "what": "news",
				"text": "one\ntwo"}
			links := 0
			if hasLink {
				values, links = map[string]string{"link": link}, 1
			}
			r, raw := written(t, sealedBy(delivery(kind, language), values))
			for _, text := range []string{r.plain, r.html} {
				for _, want := range []string{hello, "@alice:example.org", host} {
					if !strings.Contains(text, want) {
						t.Errorf("%s in %s has no %q: %s", kind, language, want, text)
					}
				}
				if strings.Contains(text, "%!") || strings.Contains(text, "<no value>") {
					t.Errorf("%s in %s: %s", kind, language, text)
				}
			}
			if !strings.Contains(r.subject, host) {
				t.Errorf("the subject of %s is %q", kind, r.subject)
			}
			if hasLink != strings.Contains(r.plain, link) || strings.Count(r.html, "href=") != links ||
				regexp.MustCompile(`(?i)<img|<link|<script|<iframe|src=|url\(|<form`).MatchString(r.html) {
				t.Errorf("%s in %s: %s\n%s", kind, language, r.plain, r.html)
			}
			for field, want := range map[string]string{"Auto-Submitted": "auto-generated", "To": "<alice@example.org>",
				"From": `"Example" <postern@example.org>`, "Date": "Mon, 30 Nov 2026 17:00:00 +0000", "Bcc": "", "Cc": ""} {
				if got := r.header.Get(field); got != want {
					t.Errorf("%s: %q, want %q", field, got, want)
				}
			}
			for line := range strings.Lines(raw) { // RFC 5321, section 4.5.3.1.6, and section 2.3.8: no bare line feed
				if len(line) > 998 || !strings.HasSuffix(line, "\r\n") || strings.Count(line, "\r") != 1 {
					t.Errorf("a line is %q", line)
				}
			}
		}
	}
}

// TestHeaderInjection: whatever stands in a value, in an id or in a target, the mail has the header that it has without
// it.
func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	fields := func(h mail.Header) (all []string) {
		for name, values := range h {
			all = append(all, fmt.Sprint(name, len(values)))
		}
		slices.Sort(all)
		return all
	}
	for kind := range kinds() {
		clean, _ := written(t, sealedBy(delivery(kind, "en"), map[string]string{"device": "x", "what": "x"}))
		for _, evil := range []string{
			"x\r\nBcc: evil@example.com", "x\nSubject: won\n\nbody", "x\r\n.\r\nMAIL FROM:<a@b>", "x\u2028Bcc: y", "x\x00y", "=?utf-8?q?=0D=0ABcc:_evil@example.com?=", strings.Repeat("ü\r\n", 500),
			"<script>alert(1)</script>"} {
			values := map[string]string{"device": evil, "from": evil, "what": evil, "text": evil + "\n" + evil}
			v := sealedBy(delivery(kind, "en"), values)
			v.ID, v.Localpart, v.Language = evil, "a"+evil, evil
			r, _ := written(t, v)
			if got, want := fields(r.header), fields(clean.header); !slices.Equal(got, want) {
				t.Errorf("%s of %q has %v, want %v", kind, evil, got, want)
			}
			if strings.Contains(r.html, "<script") || strings.ContainsAny(r.subject, "\r\n") {
				t.Errorf("%s of %q: %s", kind, evil, r.html)
			}
			if r.header.Get("Message-ID") == "" || len(r.header.Get("Message-ID")) > 80 {
				t.Errorf("the Message-ID is %q", r.header.Get("Message-ID"))
			}
		}
	}
	for _, target := range []string{"mailto:a@b\r\nBcc: c@d", "mailto:a@b,c@d", "mailto:a@b?bcc=c@d", "mailto:"} {
		v := sealedBy(delivery(handlers.MailNotice, "en"), nil)
		v.Target = target
		if _, err := letters().Write(v); err == nil {
			t.Errorf("%q is written to", target)
		}
	}
}

// TestDeviceName: somebody who has stolen a password cannot talk to its owner in the server's name.
func TestDeviceName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Element (Firefox, macOS)":                     "Element (Firefox, macOS)",
		"Handy von Änne – 2":                           "Handy von Änne 2",
		"https://evil.example/?x=1":                    "https evil example x 1",
		"call www.evil.example or mail a@evil.example": "call www evil example or mail a evil example",
		"évil．example":                                 "évil example",
		"a\u202eb\u200bc":                              "a b c",
		strings.Repeat("x", 500):                       strings.Repeat("x", 80),
	} {
		if got := harmless(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
}

// TestNameIsNoLink: somebody who signs up with somebody else's address cannot send them a link of their own by the
// name.
func TestNameIsNoLink(t *testing.T) {
	t.Parallel()
	for name, named := range map[string]bool{"alice": true, "www.evil.example/prize": false, "evil.example": false} {
		for kind, shown := range map[string]bool{handlers.MailVerify: named, handlers.MailReset: true} {
			v := sealedBy(delivery(kind, "en"), map[string]string{handlers.MailLink: "https://example.org/x"})
			v.Localpart = name
			m, err := letters().Write(v)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if _, err := m.WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), name) != shown {
				t.Errorf("%s of %s: %s", kind, name, b.String())
			}
		}
	}
}

// TestSealedOnly: a link that no server has sealed is not sent, nor is what cannot be opened or has no texts; they
// wait.
func TestSealedOnly(t *testing.T) {
	t.Parallel()
	plain := delivery(handlers.MailReset, "en")
	plain.Sealed = []byte(`{"link":"https://evil.example"}`)
	foreign := delivery(handlers.MailReset, "en")
	foreign.Sealed = []byte{1, 2, 3}
	for _, v := range []db.Delivery{plain, foreign, sealedBy(delivery("unknown", "en"), nil)} {
		var refused *Refused
		if _, err := letters().Write(v); err == nil || strings.Contains(err.Error(), "evil") {
			t.Errorf("%+v: %v, %v", v, err, refused)
		}
	}
}

// TestReplyTo: what people answer goes to whom the operator names, or to the sender.
func TestReplyTo(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"", "help@example.org"} {
		l := letters()
		l.ReplyTo = want
		m, err := l.Write(sealedBy(delivery(handlers.MailTest, "de"), nil))
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if _, err := m.WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		parsed, err := mail.ReadMessage(&raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Header.Get("Reply-To"); strings.Trim(got, "<>") != want {
			t.Errorf("Reply-To is %q, want %q", got, want)
		}
	}
}
