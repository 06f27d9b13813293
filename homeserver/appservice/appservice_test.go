package appservice

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const irc = `id: irc
url: http://127.0.0.1:9999
as_token: the irc bridge's secret
hs_token: another
sender_localpart: ircbot
rate_limited: false
namespaces:
  users:
    - exclusive: true
      regex: '@_irc_.*:example\.org'
    - exclusive: false
      regex: '@shared_'
  aliases: []
`

// file writes a registration file and returns its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	t.Parallel()
	other := strings.NewReplacer("id: irc", "id: telegram", "the irc bridge's secret", "the other bridge's", "ircbot",
		"telegrambot", "_irc_", "_telegram_", "rate_limited: false\n", "", "http://127.0.0.1:9999", "null",
		"exclusive: true", "exclusive: yes").Replace(irc)
	services, problems := Read("example.org", []string{file(t, "irc.yaml", irc), file(t, "telegram.yaml", other)})
	if len(problems) > 0 || !services.Any() {
		t.Fatal(problems)
	}
	service, second := services.ByToken("the irc bridge's secret"), services.ByToken("the other bridge's")
	if service == nil || service.ID != "irc" || service.RateLimited || second == nil || second.ID != "telegram" ||
		!second.RateLimited {
		t.Fatalf("%+v %+v", service, second)
	}
	for _, token := range []string{"", "the irc bridge's secre", "the irc bridge's secret ", "another"} {
		if services.ByToken(token) != nil {
			t.Errorf("%q is nobody's token", token)
		}
	}
	for id, want := range map[string][2]bool{ // whether it is the service's, and whether people cannot have it
		"@_irc_bob:example.org":         {true, true},
		"@_irc_bob:example.org.evil":    {true, true}, // re.match does not ask for the end
		"@_irc_bob:elsewhere.org":       {false, false},
		"@_irc_bob:exampleXorg":         {false, false},
		"x@_irc_bob:example.org":        {false, false},
		"@shared_bob:example.org":       {true, false},
		"@ircbot:example.org":           {true, true},
		"@ircbot:elsewhere.org":         {false, false},
		"@_telegram_bob:example.org":    {false, true},
		"@alice:example.org":            {false, false},
		"@_IRC_bob:example.org":         {false, false},
		"@\n@_irc_bob:example.org":      {false, false},
		"@_irc_line\nbreak:example.org": {false, false},
	} {
		if owns, exclusive := service.Owns(id), services.Exclusive(id); owns != want[0] || exclusive != want[1] {
			t.Errorf("%q: owns %v, exclusive %v, want %v", id, owns, exclusive, want)
		}
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	var none *Services
	if none.Any() || none.ByToken("") != nil || none.Exclusive("@alice:example.org") {
		t.Error("no services have something")
	}
	if empty, problems := Read("example.org", nil); empty.Any() || len(problems) > 0 {
		t.Error("nothing was read, and there is something")
	}
}

// TestProblems: all problems are reported together, each with its line and none with a token.
func TestProblems(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(irc) }
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"empty":    {"", []string{"f.yaml: the file is empty"}},
		"not YAML": {"id: [", []string{"f.yaml: yaml: "}},
		"a list":   {"- id", []string{"f.yaml:1: a registration file has fields"}},
		"everything": {"x: 1", []string{"f.yaml: id is missing", "as_token is missing", "hs_token is missing",
			"sender_localpart is missing", "url is missing", "namespaces is missing"}},
		"numbers": {change("the irc bridge's secret", "12345", "ircbot", "7", "http://127.0.0.1:9999", "[]"),
			[]string{"f.yaml:3: as_token must be text", "f.yaml:5: sender_localpart must be text",
				"f.yaml:2: url must be text or null"}},
		"empty token": {change("the irc bridge's secret", `""`), []string{"f.yaml:3: as_token is empty"}},
		"odd sender":  {change("ircbot", "irc bot"), []string{"f.yaml:5: sender_localpart may hold"}},
		"users no list": {change("aliases: []", "rooms: []", "users:", "users: {}\n  aliases:"),
			[]string{"f.yaml:8: namespaces.users must be a list"}},
		"entry": {change("exclusive: true", "exclusive: maybe", "regex: '@shared_'", "regex: 5"),
			[]string{"f.yaml:9: a namespace has exclusive", "f.yaml:11: a namespace has a regex"}},
		"entry is text": {change("- exclusive: false\n      regex: '@shared_'", "- '@shared_'"),
			[]string{"f.yaml:11: a namespace has exclusive", "f.yaml:11: a namespace has a regex"}},
		"look-ahead": {change("@shared_", "@(?!bob)"),
			[]string{`f.yaml:12: the regex "@(?!bob)": invalid or unsupported Perl syntax`}},
		"possessive":     {change("@shared_", "@a++"), []string{"f.yaml:12: the regex"}},
		"back-reference": {change("@shared_", `@(a)\1`), []string{`\1, a reference to a group`}},
		"POSIX class":    {change("@shared_", `@[[:alpha:]]`), []string{"in a set, [: means"}},
		"parentheses":    {change("@shared_", `@a)|(b`), []string{"unexpected )"}},
		"other flags":    {change("@shared_", `(?x)@a`), []string{"invalid or unsupported Perl syntax"}},
		"other's class":  {change("@shared_", `@\pL`), []string{`\p means nothing to Python`}},
	} {
		service, problems := Parse("example.org", "f.yaml", []byte(test.text))
		if service != nil || len(problems) != len(test.want) {
			t.Errorf("%s: %d problems, want %d: %v", name, len(problems), len(test.want), problems)
			continue
		}
		for i, problem := range problems {
			if !strings.Contains(problem.Error(), test.want[i]) {
				t.Errorf("%s: %v, want %q", name, problem, test.want[i])
			}
			if strings.Contains(problem.Error(), "secret") || strings.Contains(problem.Error(), "12345") {
				t.Errorf("%s tells the token: %v", name, problem)
			}
		}
	}
}

func TestClashes(t *testing.T) {
	t.Parallel()
	one, two := file(t, "one.yaml", irc), file(t, "two.yaml", irc)
	_, problems := Read("example.org", []string{one, filepath.Join(t.TempDir(), "none.yaml"), two})
	if len(problems) != 4 {
		t.Fatalf("%v", problems)
	}
	for i, want := range []string{"none.yaml", two + `:1: the id "irc" is that of ` + one, two + ":3: the as_token",
		two + ":5: the sender @ircbot:example.org"} {
		if !strings.Contains(problems[i].Error(), want) || strings.Contains(problems[i].Error(), "secret") {
			t.Errorf("%v, want %q", problems[i], want)
		}
	}
}

// TestExpressions: expressions match as in Python. Each was tried with Python 3.11's re.match.
func TestExpressions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expression, text string
		want             bool
	}{
		{`@a|@b`, "@bob", true},
		{`@a|b`, "x b", false},
		{`@ab{,2}c`, "@abbc", true},
		{`@ab{,2}c`, "@abbbc", false},
		{`@b\Z`, "@b", true},
		{`@b\Z`, "@bob", false},
		{`@b$`, "@bob", false},
		{`@[]b]+x`, "@]bx", true},
		{`@[^]b]+x`, "@]x", false},
		{`@[a{,2}]+x`, "@{,x", true},
		{`@[\Wa]x`, "@ax", true},
		{`@\{,2}`, "@{,2}", true},
		{`@\[b{,1}c`, "@[c", true},
		{`(?i)@BOB`, "@bob", true},
		{`@(?P<name>b)ob`, "@bob", true},
		{`@(?:x|bo)b`, "@bob", true},
		{`.*:other\.org|@b.b`, "@bob:example.org", true},
		{``, "@anybody", true},
		{`^@b`, "@bob", true},
		{`\A@b`, "@bob", true},
	} {
		compiled, err := compile(test.expression)
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		if got := compiled.MatchString(test.text); got != test.want {
			t.Errorf("%s matches %q: %v", test.expression, test.text, got)
		}
	}
}

// FuzzParse: every file is read, or refused with a reason.
func FuzzParse(f *testing.F) {
	f.Add(irc)
	f.Add("a: &a {b: *a}\nnamespaces: *a")
	f.Add(strings.Replace(irc, "@shared_", `@[]a{,2}\Z[:(?<a>)`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		service, problems := Parse("example.org", "f.yaml", []byte(text))
		if (service == nil) == (len(problems) == 0) {
			t.Errorf("%v with %v", service, problems)
		}
		if service != nil {
			service.Owns("@_irc_bob:example.org")
		}
	})
}
