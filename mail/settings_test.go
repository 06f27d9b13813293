package mail

import (
	"strings"
	"testing"
)

// TestParseURL: what is meant is understood, and what cannot be meant is refused without saying a password.
func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Settings{
		"smtp://mail.example.org":                   {Host: "mail.example.org", Port: "587", TLS: StartTLS},
		"smtp://u@mail.example.org:25":              {Host: "mail.example.org", Port: "25", TLS: StartTLS, User: "u"},
		"smtps://u%40x:p%3Aw@mail.example.org/":     {Host: "mail.example.org", Port: "465", TLS: TLSAtOnce, User: "u@x", Password: "p:w"},
		"smtp://mail.example.org?starttls=off":      {Host: "mail.example.org", Port: "587", TLS: NoTLS},
		"smtp://mail.example.org?starttls=optional": {Host: "mail.example.org", Port: "587", TLS: StartTLSIfOffered},
		"smtp://localhost:25":                       {Host: "localhost", Port: "25", TLS: NoTLS},
		"smtp://[::1]:25":                           {Host: "::1", Port: "25", TLS: NoTLS},
		"smtp://u@127.0.0.1:25?starttls=required":   {Host: "127.0.0.1", Port: "25", TLS: StartTLS, User: "u"},
	} {
		if got, err := ParseURL(text, true); got != want || err != nil {
			t.Errorf("%s is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"mail.example.org":                            "not the URL",
		"http://mail.example.org":                     "not the URL",
		"smtp://":                                     "not the URL",
		"smtp://mail.example.org/path":                "not the URL",
		"smtp://u:secret@mail.example.org:port":       "not the URL",
		"smtps://mail.example.org?starttls=off":       "leave out starttls",
		"smtp://mail.example.org?starttls=yes":        "none of required",
		"smtp://mail.example.org?tls=1":               "none of starttls, ca",
		"smtp://mail.example.org?ca=/does/not/exist":  "no such file",
		"smtp://mail.example.org?ca=settings_test.go": "no certificate",
		"smtp://u@mail.example.org?starttls=off":      "could be read on the way",
		"smtp://u@mail.example.org?starttls=optional": "could be read on the way",
	} {
		if _, err := ParseURL(text, true); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := ParseURL("smtp://u:secret@mail.example.org", false); err == nil ||
		strings.Contains(err.Error(), "secret") ||
		!strings.Contains(err.Error(), "--smtp-password-file") {
		t.Errorf("a password where everybody can read it: %v", err)
	}
}

// TestParseFrom: mails are from somebody, or the operator has to say from whom.
func TestParseFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, server, name, address string }{
		{"", "example.org", "example.org", "postern@example.org"},
		{"", "example.org:8448", "example.org:8448", "postern@example.org"},
		{"", "localhost", "", ""},
		{"", "192.0.2.1", "", ""},
		{"", "[2001:db8::1]:8448", "", ""},
		{"Matrix <M@Example.org>", "localhost", "Matrix", "m@example.org"},
		{"m@example.org", "localhost", "", "m@example.org"},
		{"Grüße, \"x\" <m@example.org>", "localhost", "", ""},
		{"m", "example.org", "", ""},
		{"m@example.org\r\nBcc: x@y.org", "example.org", "", ""},
		{"a@example.org, b@example.org", "example.org", "", ""},
	} {
		got, err := ParseFrom(test.text, test.server)
		if got.Name != test.name || got.Address != test.address || (err == nil) != (test.address != "") {
			t.Errorf("%q on %s is %+v, %v", test.text, test.server, got, err)
		}
	}
}
