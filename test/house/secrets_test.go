package house

import (
	"go/types"
	"strings"
	"testing"
)

// earlyEnough lists the comparisons of secrets that may stop at the first difference, each with its reason.
var earlyEnough = map[comparison]string{
	{"tokens/token.go", "bytes.Equal(id.encode(), b)"}:                     "the identifier is no secret: every holder can read it, and the signature covers it",
	{"handlers/hash.go", "hash == NoPassword"}:                             "asks whether there is a hash at all; the constant is in the source",
	{"handlers/password.go", "hash == NoPassword"}:                         "the same, and the work is done all the same",
	{"handlers/hash.go", "normal(password) != password"}:                   "both are what the client sent: the time tells it nothing that it does not know",
	{"db/cache.go", "cmp.Compare(a.session, b.session)"}:                   "both are ids of rows that were found: their tokens' signatures hold",
	{"speclab/spec/node.go", "bytes.Equal(one, two)"}:                      "both are parts of spec files, which are no secrets",
	{"cli/token.go", `t.Token != "-"`}:                                     "asks where the token is; who types it has it",
	{"cli/password.go", "bytes.Equal(first, second)"}:                      "both were typed by the same person at this terminal",
	{"homeserver/delegation/restore.go", "d.SecretPath == now.SecretPath"}: "both are paths of files",
	{"homeserver/delegation/setup.go", "d.SecretPath == o.SecretPath"}:     "the same",
	{"oauth/rendezvous/rendezvous.go", "m.Sent[n] != digestOf(message)"}:   "hashes of messages that who asks may read, and nobody can choose a hash",
	{"oauth/accountpassword.go", "hash != handlers.NoPassword"}:            "asks whether there is a hash at all; the constant is in the source",
	{"passwords/leaked.go", "bytes.Compare(last.hash[:], now.hash[:])"}:    "both are lines of a list that everybody may read",
	{"passwords/leaked.go", "bytes.Compare(now.hash[:], wanted[:])"}:       "the one who waits for it has chosen the password, and the other is public",
}

// TestSecretsAreComparedWhole: the time that a comparison takes must not tell how much of a guess was right.
func TestSecretsAreComparedWhole(t *testing.T) {
	t.Parallel()
	met, ours := make(map[comparison]bool), make(map[string]*types.Package)
	var check func(dir string)
	check = func(dir string) {
		path := strings.TrimSuffix(module+"/"+dir, "/.")
		if _, done := ours[path]; done {
			return
		}
		for _, imported := range imports(t, dir) { // checked before what imports it
			if to, is := own(imported); is {
				check(to)
			}
		}
		found, pkg := comparisonsOf(t, codeIn(t, dir), ours)
		ours[path] = pkg
		for _, c := range found {
			met[c] = true
			if earlyEnough[c] == "" && !fromContract(dir) && !strings.HasPrefix(dir, "test/") {
				t.Errorf("%s: %s compares a secret and stops at the first difference: use crypto/subtle, or say in earlyEnough why it may", c.file, c.text)
			}
		}
	}
	for _, dir := range folders(t) {
		if !strings.HasPrefix(dir, "test/") {
			check(dir)
		}
	}
	for c := range earlyEnough {
		if !met[c] {
			t.Errorf("earlyEnough: %s has no %s any more", c.file, c.text)
		}
	}
}

// codeIn is the code of a folder without its tests.
func codeIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	code := make(map[string]string)
	for _, file := range sources(t, dir) {
		if !isTest(file) && file != "tools.go" {
			code[file] = text(t, file)
		}
	}
	return code
}

// TestSecretsCheck shows the check what it must find, and what it must pass.
func TestSecretsCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ code, finds string }{
		{`func f(hash, other string) bool { return hash == other }`, `hash == other`},
		{`func f(a, b struct{ PasswordHash string }) bool { return a.PasswordHash != b.PasswordHash }`, `a.PasswordHash != b.PasswordHash`},
		{`func f(password string) bool { return password == "hunter2" }`, `password == "hunter2"`},
		{`func f(secret [32]byte, x [32]byte) bool { return x == secret }`, `x == secret`},
		{`func f(a MasterKey) bool { return a == known }; type MasterKey [32]byte; var known MasterKey`, `a == known`},
		{`func f(a chain) bool { return a == b }; type chain [32]byte; var b [32]byte`, `a == b`},
		{`func f(token *string, want string) bool { return *token == want }`, `*token == want`},
		{`func f(token, want []byte) bool { return string(token) == string(want) }`, `string(token) == string(want)`},
		{`func f(password, want string) bool { return normal(password) == want }; func normal(s string) string { return s }`, `normal(password) == want`},
		{`func f(signature []byte, want string) bool { return string(signature[:16]) == want }`, `string(signature[:16]) == want`},
		{`import "net/http"; func f(r *http.Request, token string) bool { return r.Header.Get("X") == token }`, `r.Header.Get("X") == token`},
		{`import "net/http"; func f(r *http.Request) bool { return r.Token == r.Other }`, `r.Token == r.Other`},
		{`import "bytes"; func f(a, b []byte) bool { return bytes.Equal(a, b) }`, `bytes.Equal(a, b)`},
		{`import "bytes"; func f(a, b []byte) int { return bytes.Compare(a, b) }`, `bytes.Compare(a, b)`},
		{`import "strings"; func f(mac, b string) int { return strings.Compare(mac, b) }`, `strings.Compare(mac, b)`},
		{`import "strings"; func f(a, pepper string) bool { return strings.HasPrefix(a, pepper) }`, `strings.HasPrefix(a, pepper)`},
		{`import "slices"; func f(all []string, token string) bool { return slices.Contains(all, token) }`, `slices.Contains(all, token)`},
		{`func f(token, want string) { switch token { case want: } }`, `token`},
		{`func f(given, wantedToken string) { switch given { case "", wantedToken: } }`, `given`},
		{`func f(given, refreshToken string) { switch { case given == refreshToken: } }`, `given == refreshToken`},

		{`func f(hash, token string) bool { return hash == "" || "" != token }`, ``},
		{`func f(token []byte, password *string) bool { return token == nil || password != nil }`, ``},
		{`func f(secret [32]byte) bool { return secret != [32]byte{} }`, ``},
		{`func f(name, other string) bool { return name == other }`, ``},
		{`func f(kind string) bool { return kind == stageToken }; const stageToken = "m.login.token"`, ``},
		{`func f(kind string) { switch kind { case stagePassword: } }; const stagePassword = "m.login.password"`, ``},
		{`func f(password string) bool { return len(password) == 8 }`, ``},
		{`func f(tokens, hashes int) bool { return tokens == hashes }`, ``},
		{`type T struct{ Location string }; func f(token, other T) bool { return token.Location == other.Location }`, ``},
		{`func f(password string) { switch { case len(password) == 0: } }`, ``},
		{`func f(session, other *int) bool { return session == other }`, ``},
		{`import "strings"; func f(hash string) bool { return strings.HasPrefix(hash, "$argon2id$") }`, ``},
		{`import "net/http"; func f(s http.Server) bool { return s.TokenTTL == 0 || len(s.Secret) != len(s.Password) }`, ``},
		{`import "crypto/subtle"; func f(hash, b []byte) bool { return subtle.ConstantTimeCompare(hash, b) == 1 }`, ``},
		{`import "crypto/hmac"; func f(mac, b []byte) bool { return hmac.Equal(mac, b) }`, ``},
	} {
		found, _ := comparisonsOf(t, map[string]string{"x.go": "package x; " + test.code}, nil)
		var texts []string
		for _, c := range found {
			texts = append(texts, c.text)
		}
		if got := strings.Join(texts, "; "); got != test.finds {
			t.Errorf("%s\nfinds %q, not %q", test.code, got, test.finds)
		}
	}
}
