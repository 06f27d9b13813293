package handlers

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"

	"postern/db"
)

// pepper is what Synapse's sample configuration once proposed.
const pepper = "EVEN_MORE_SECRET"

// vectors are hashes by Python's bcrypt 4.3.0 and 5.0.0, as Synapse makes them:
//
//	b = unicodedata.normalize("NFKC", password).encode("utf8") + pepper.encode("utf8")
//	"synapse" + bcrypt.hashpw(b[:72], bcrypt.gensalt(4)).decode()
//
// and without prefix, normal form and pepper for the others.
var vectors = []struct {
	name, hash, pepper string
	right, wrong       []string
}{
	{"plain", "$2b$04$/JFS.vmDn8l1btGa0uovsuCLkOb1OAV4YZ0oePKS1S3uckrKTJoxC", pepper,
		[]string{password}, []string{"", "correct hors", "correct horse ", password + pepper}},
	{"version 2a", "$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe", "",
		[]string{password}, []string{"wrong"}},
	{"synapse without a pepper", "synapse$2b$04$2nOa2JHKXtXNPL9CuEY2A.rt5EgMCHHsPmKcYVhNa0IRWXvmEwvWa", "",
		[]string{password, "correct\u00a0horse"}, []string{"wrong"}},
	{"synapse", "synapse$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS", pepper,
		[]string{password}, []string{"wrong", password + pepper, ""}},
	{"synapse, the pepper is missing", "synapse$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS", "",
		nil, []string{password}},
	{"another pepper", "synapse$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS", "even_more_secret",
		nil, []string{password}},
	{"normal form", "synapse$2b$04$XpAdt7VCg2BeXx0cfxQvO.R1uZpdngi9VEI.cnzfRIdzHtXJMxxvO", pepper,
		[]string{"e\u0301\ufb01\uff21 \u212b", "\u00e9fiA \u00c5"}, []string{"efiA A"}},
	{"60 bytes and a pepper that is cut off", "synapse$2b$04$i6VMdb0cGp/dmF2qVR6ZGeD.AXozH0r7Nz3JowFPo2UaujSmPp.9O", pepper,
		[]string{strings.Repeat("x", 60)}, []string{strings.Repeat("x", 61), strings.Repeat("x", 59)}},
	{"200 bytes, of which bcrypt sees 72", "synapse$2b$04$LzqogtAYYJJG2GooGcaqzuR9vsO6UZvbtKaPcgeg/s0obce5Q57IG", pepper,
		[]string{strings.Repeat("y", 200), strings.Repeat("y", 72)}, []string{strings.Repeat("y", 71)}},
	{"71 bytes", "synapse$2b$04$ndqyh5wDAY4/k4D1RQodRu.sLF//LkJjbUP4x18OU7aPH4bNviNAq", "",
		[]string{strings.Repeat("z", 71)}, []string{strings.Repeat("z", 70), strings.Repeat("z", 72)}},
	{"71 bytes and one of a pepper", "synapse$2b$04$rmrRgn9B/lQcQK7tI2Wk2e.ShbyZ1QrQxSV2ER.PF0TP7bcP8jMnq", pepper,
		[]string{strings.Repeat("z", 71)}, []string{strings.Repeat("z", 70), strings.Repeat("z", 72)}},
	{"72 bytes", "synapse$2b$04$Or3iUHvvh4/qHz64Vhzz0.G5W2blnOz/WWNrms0p1MM9TOgJZzCAG", "",
		[]string{strings.Repeat("z", 72), strings.Repeat("z", 73)}, []string{strings.Repeat("z", 71)}},
	{"80 bytes, plain", "$2b$04$lgo5O2HOagvbntAH/JBMq.kjUr4u4Iet/2xYLqUwRixUSAW4fcr1O", "",
		[]string{strings.Repeat("q", 80), strings.Repeat("q", 72) + "typo"}, []string{strings.Repeat("q", 71)}},
	{"a NUL byte", "synapse$2b$04$aKwgQLt4EKVjyKiHpgbsFekBcPQhAjT5SbdzsvyGwskG3kHmkHREu", pepper,
		[]string{"a\x00b"}, []string{"a", "a\x00c"}},
	{"cost 12, Synapse's default", "synapse$2b$12$K.wTLwMeWr0lF8skGegnTuFDptfO0vGbeVd2ni5bGILe2czTas2ce", pepper,
		[]string{password}, nil},
	{"nobody", "", pepper, nil, []string{"", password}},
	{"no password", NoPassword, pepper, nil, []string{"", "!", password}},
}

func TestHashesFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			h := newTestHasher(t, v.pepper)
			if err := CheckHash(v.hash); err != nil && v.hash != "" {
				t.Error(err)
			}
			for _, right := range v.right {
				got, err := h.compared(right, v.hash)
				if err != nil || !got.match {
					t.Fatalf("%q: %+v, %v", right, got, err)
				}
				if cut := len(right) >= 72 || strings.Contains(right, "\x00"); cut != (got.better == "") {
					t.Errorf("%q: to be stored instead: %q", right, got.better)
				}
				for _, again := range v.right {
					if got.better == "" {
						continue
					}
					if more, err := h.compared(again, got.better); err != nil || !more.match || more.better != "" {
						t.Errorf("%q after the rehash: %+v, %v", again, more, err)
					}
				}
			}
			for _, wrong := range v.wrong {
				if got, err := h.compared(wrong, v.hash); err != nil || got.match || got.better != "" {
					t.Errorf("%q: %+v, %v", wrong, got, err)
				}
			}
		})
	}
}

// newTestHasher is cheap, and gives a place to whoever asks.
func newTestHasher(t testing.TB, pepper string) *hasher {
	h := newHasher(newQueue(prometheus.NewGauge(prometheus.GaugeOpts{}), time.Now, defaultPatience), pepper)
	h.cost = cheap
	t.Cleanup(h.close)
	return h
}

func TestCheckHash(t *testing.T) {
	t.Parallel()
	salted := strings.Repeat("a", 53)
	for _, bad := range []string{
		"", "!!", "*", "secret", "{SSHA}abc", "$1$abc$def", "$6$salt$" + salted, "$2b$12$short",
		"$2b$12$" + salted + "a",
		"$2$12$" + salted, "$2x$12$" + salted, "$2b$03$" + salted, "$2b$17$" + salted, "$2b$31$" + salted, "synapse",
		"synapse!", "synapse$2b$99$" + salted,
		"$argon2i$v=19$m=19456,t=2,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8",
		"$argon2id$v=19$m=1048576,t=2,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8",
		"$argon2id$v=19$m=19456,t=0,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8",
		"$argon2id$v=19$m=19456,t=2,p=0$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8",
		"$argon2id$v=19$m=19456,t=2,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RQ", "synapse" + dummyHash,
	} {
		err := CheckHash(bad)
		if err == nil {
			t.Errorf("%q is accepted", bad)
		} else if len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q is repeated", bad)
		}
	}
	for _, good := range []string{NoPassword, dummyHash, "$2y$10$" + salted, "synapse$2b$12$" + salted} {
		if err := CheckHash(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// TestRehashAtLogin: each kind of hash opens the account, is replaced by argon2id, and the password opens it again.
func TestRehashAtLogin(t *testing.T) {
	t.Parallel()
	weak, err := argon2id.CreateHash(password,
		&argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	stronger := &argon2id.Params{Memory: 64, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	s := newSite(t, func(c *Config) { c.SynapsePepper = pepper })
	s.server.hasher.cost = stronger
	for name, hash := range map[string]string{
		"dendrite": vectors[0].hash, "older": vectors[1].hash, "synapse": vectors[3].hash, "weak": weak,
	} {
		s.must(s.db.CreateUser(t.Context(), db.User{Localpart: name, PasswordHash: hash, Created: s.clock.Now()}))
		try := func(word string) answer {
			return s.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, word, "")})
		}
		stored := func() string {
			account, err := s.db.User(t.Context(), name)
			s.must(err)
			return account.PasswordHash
		}
		s.want(try("wrong"), 403, "M_FORBIDDEN")
		if stored() != hash {
			t.Errorf("%s: a wrong password changed the hash", name)
		}
		s.ok(try(password))
		rehashed := stored()
		if p, _, _, err := argon2id.DecodeHash(rehashed); err != nil || p.Memory != stronger.Memory {
			t.Errorf("%s: after a login %q is stored", name, rehashed)
		}
		s.want(try("wrong"), 403, "M_FORBIDDEN")
		s.ok(s.whoami(s.ok(try(password)).Text("access_token")))
		if stored() != rehashed {
			t.Errorf("%s is hashed once more", name)
		}
	}
}

// TestLongPasswordsKeepTheirHash: bcrypt looks at 72 bytes, so what is typed beyond them is not known to be right. It
// is good as before, as often as it comes, and does not take the place of what the owner chose.
func TestLongPasswordsKeepTheirHash(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SynapsePepper = pepper })
	chosen := strings.Repeat("y", 80)
	for name, hash := range map[string]string{
		"synapse": "synapse$2b$04$LzqogtAYYJJG2GooGcaqzuR9vsO6UZvbtKaPcgeg/s0obce5Q57IG",
		"plain":   bcryptOf(t, chosen[:72], bcrypt.MinCost),
	} {
		s.addHashed(db.User{Localpart: name}, hash)
		access := ""
		for _, typed := range []string{chosen[:72] + "typo", chosen, chosen[:72], chosen + "\x00"} {
			a := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, escaped(typed), "")}))
			access = a.Text("access_token")
		}
		s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, chosen[:71], "")}), 403, "M_FORBIDDEN")
		account, err := s.db.User(t.Context(), name)
		s.must(err)
		if account.PasswordHash != hash {
			t.Errorf("%s: %s took the place of the hash", name, account.PasswordHash)
		}
		s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: access,
			Body: `{"new_password":"` + chosen + `","auth":` + passwordStep(name, chosen, "") + `}`}))
		s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, chosen[:72], "")}), 403, "M_FORBIDDEN")
		s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, chosen, "")}))
	}
}

func bcryptOf(t testing.TB, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// escaped is a text as it stands in JSON.
func escaped(text string) string { return strings.ReplaceAll(text, "\x00", `\u0000`) }

// TestRehashRace: whoever logs in while another login rehashes gets in too.
func TestRehashRace(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SynapsePepper = pepper })
	s.must(s.db.CreateUser(t.Context(),
		db.User{Localpart: "carol", PasswordHash: vectors[3].hash, Created: s.clock.Now()}))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			a := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("carol", password, "")})
			if a.Status != 200 {
				t.Errorf("a login answers %d %s", a.Status, a.Raw)
			}
		})
	}
	all.Wait()
}

// TestRehashMeetsChange: the password is changed between the comparison and the rehash, so the old one no longer
// counts.
func TestRehashMeetsChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := db.User{Localpart: "carol", PasswordHash: vectors[0].hash, Created: s.clock.Now()}
	s.must(s.db.CreateUser(t.Context(), old))
	changed, err := hashAt("another", cheap)
	s.must(err)
	_, err = s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "carol", Hash: changed, EndOthers: true})
	s.must(err)
	_, err = s.server.rehash(t.Context(), old, password, changed, claim{})
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("the old password gives %v", err)
	}
	if account, err := s.server.rehash(t.Context(), old, "another", "unused", claim{}); err != nil ||
		account.PasswordHash != changed {
		t.Errorf("the new password gives %+v, %v", account, err)
	}
}

// TestRehashFails: a database that cannot store the new hash does not keep anybody out by that.
func TestRehashFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := db.User{Localpart: "carol", PasswordHash: vectors[0].hash, Created: s.clock.Now()}
	s.must(s.db.CreateUser(t.Context(), old))
	s.must(s.db.Close())
	if account, err := s.server.rehash(t.Context(), old, password, "$argon2id$…", claim{}); err != nil ||
		account.PasswordHash != old.PasswordHash {
		t.Errorf("the login goes on with %+v, %v", account, err)
	}
}

func TestNoPasswordAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "sso", PasswordHash: NoPassword, Created: s.clock.Now()}))
	for _, word := range []string{"!", "", password} {
		s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("sso", word, "")}), 403, "M_FORBIDDEN")
	}
}

// TestOldNames: names with upper case, from times when they were allowed, are found as they are spelled.
func TestOldNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.addUser("Alice")
	s.addUser("Ünal=X")
	for typed, want := range map[string]string{
		"Alice": "@Alice:example.org", "@Alice:Example.org": "@Alice:example.org", "ALICE": "@alice:example.org",
		"alice": "@alice:example.org", "Ünal=X": "@Ünal=X:example.org", "Bob": "@bob:example.org",
	} {
		a := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(typed, password, "")}))
		if a.Text("user_id") != want {
			t.Errorf("%s logs in as %s", typed, a.Text("user_id"))
		}
	}
	session := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("Alice", password, "")}))
	auth := `{"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"Alice"},"password":"` +
		password + `"}}`
	token := s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v1/login/get_token",
		Token: session.Text("access_token"), Body: auth}))
	a := s.ok(s.do(call{Method: "POST", Path: loginPath,
		Body: `{"type":"m.login.token","token":"` + token.Text("login_token") + `"}`}))
	if a.Text("user_id") != "@Alice:example.org" {
		t.Errorf("Alice's login token is for %s", a.Text("user_id"))
	}
}

// TestRefusalsTakeAlike: once a slow hash was compared, an unknown user is refused no faster.
func TestRefusalsTakeAlike(t *testing.T) {
	t.Parallel()
	slow := bcryptOf(t, password, 10)
	h := newTestHasher(t, "")
	took := func(hash string) time.Duration {
		began := time.Now()
		if v, err := h.check(t.Context(), "wrong", hash, claim{}); v.match || err != nil {
			t.Error(v, err)
		}
		return time.Since(began)
	}
	known := took(slow)
	seen := time.Duration(h.slowest.Load())
	if unknown := took(""); seen == 0 || unknown < seen {
		t.Errorf("a known user is refused in %s (%s of it compared), an unknown one in %s", known, seen, unknown)
	}
	h.remember(time.Hour)
	if slowest := time.Duration(h.slowest.Load()); slowest != maxEven {
		t.Errorf("refusals may take %s", slowest)
	}
}
