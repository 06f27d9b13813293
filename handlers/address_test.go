package handlers

import (
	"net/mail"
	"strings"
	"testing"
)

// TestAddress: what is a plain mailbox is one address however it is typed, and nothing else is one.
func TestAddress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	for typed, want := range map[string]string{
		"alice@example.org":                  "alice@example.org",
		" Alice@Example.ORG ":                "alice@example.org",
		"a.b+c_d-e/f=g@sub.example.org":      "a.b+c_d-e/f=g@sub.example.org",
		"alice@Bücher.example":               "alice@xn--bcher-kva.example",
		"alice@xn--bcher-kva.example":        "alice@xn--bcher-kva.example",
		"alice@localhost":                    "alice@localhost",
		"alice@example。org":                  "alice@example.org", // IDNA2008's other full stop
		"o'brien@example.org":                "o'brien@example.org",
		long + "x@example.org":               long + "x@example.org",
		"":                                   "",
		"alice":                              "",
		"@example.org":                       "",
		"alice@":                             "",
		"alice@@example.org":                 "",
		"alice@example.org@evil.example":     "",
		"alice@example..org":                 "",
		"alice@.example.org":                 "",
		"alice@example.org.":                 "",
		"alice@-example.org":                 "",
		".alice@example.org":                 "",
		"al..ice@example.org":                "",
		"alice.@example.org":                 "",
		"al ice@example.org":                 "",
		"\"al ice\"@example.org":             "",
		"Alice <alice@example.org>":          "",
		"alice@example.org, bob@example.org": "",
		"alice@example.org\r\nBcc: b@x.org":  "",
		"alice@example.org\n":                "",
		"alice\r\nRCPT TO:<b@x.org>@x.org":   "",
		"alice%0d%0a@exa mple.org":           "",
		"alice@example.org\x00":              "",
		"al\x00ice@example.org":              "",
		"alice(comment)@example.org":         "",
		"alice@[192.0.2.1]":                  "",
		"alice@exam_ple.org":                 "",
		"älice@example.org":                  "",
		"alıce@example.org":                  "", // a dotless i
		"\u212a@example.org":                 "", // the sign of Kelvin, in lower case a k
		"alice＠example.org":                  "",
		"<alice@example.org>":                "",
		"mailto:alice@example.org?bcc=b@x":   "",
		long + "xx@example.org":              "",
		"alice@" + long + "x.org":            "",
		"a@" + strings.Repeat(long+".", 4):   "",
		"a@" + strings.Repeat(long+".", 3) + strings.Repeat("x", 62): "",
	} {
		got, err := Address(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v, want %q", typed, got, err, want)
		}
	}
}

// FuzzAddress: what comes out is a mailbox of one line that comes out as itself.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"alice@example.org",
		"Älice@Bücher.example", "a@b\r\nBcc: c@d", "\"a b\"@c", "\u212a@x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := Address(typed)
		if err != nil {
			return
		}
		if again, err := Address(got); again != got || err != nil {
			t.Errorf("%q is %q, which is %q, %v", typed, got, again, err)
		}
		if parsed, err := mail.ParseAddress(got); err != nil || parsed.Address != got || parsed.Name != "" {
			t.Errorf("%q is %q, which others read as %+v, %v", typed, got, parsed, err)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is %q", typed, got)
		}
	})
}
