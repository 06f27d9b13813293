package front

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"postern/test/rig/process"
	"postern/test/rig/smtp"
	"postern/test/rig/synapse"
)

// TestEmails: Synapse has the mail addresses that the accounts have here, by its own word: one that is added, one that
// is removed, and one that somebody registers with. Of an account that never had any here it keeps what it has.
func TestEmails(t *testing.T) {
	t.Parallel()
	post := smtp.New(t, smtp.Config{})
	const public = "http://127.0.0.1:8448" // what the mails say; the test goes to the real address
	s := newPair(t, "--oauth", "on", "--public-url", public, "--registration", "open",
		"--smtp-url", "smtp://127.0.0.1:"+post.Port+"?starttls=off", "--mail-from", "postern@example.org")
	bob, alice := s.admin(t), s.login(t, "alice", "A")
	known := func(name string, want ...string) {
		t.Helper()
		s.settled(t)
		user := synapse.Call(t, "GET", s.hs.URL+"/_synapse/admin/v2/users/@"+name+":home.test", bob.access, nil)
		var got []string
		for _, of := range user["threepids"].([]any) {
			got = append(got, of.(map[string]any)["address"].(string))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("Synapse says that %s has %q, want %q", name, got, want)
		}
	}
	s.tell(t, "provision_user", map[string]any{"localpart": "bob", "set_emails": []string{"old@example.org"}})
	s.Run(t, "", "user", "admin", "bob", "off")
	s.Run(t, "", "user", "admin", "bob", "on")
	known("bob", "old@example.org")

	shown := func(what, address string) map[string]any {
		t.Helper()
		n := len(post.Mails())
		sid := alice.ok(t, "POST", "/_matrix/client/v3/"+what+"/email/requestToken",
			map[string]any{"client_secret": "s", "send_attempt": 1, "email": address})["sid"]
		said := post.Wait(n + 1)[n].Plain(t)
		link := mailedLink.FindString(said)
		if link == "" {
			t.Fatalf("the mail has no link:\n%s", said)
		}
		s.confirm(t, strings.Replace(link, public, s.Server.URL, 1))
		return map[string]any{"sid": sid, "client_secret": "s"}
	}
	creds := shown("account/3pid", "Alice@Example.org")
	creds["auth"] = map[string]any{"type": "m.login.password", "password": password,
		"identifier": map[string]any{"type": "m.id.user", "user": "alice"}}
	alice.ok(t, "POST", "/_matrix/client/v3/account/3pid/add", creds)
	known("alice", "alice@example.org")
	alice.ok(t, "POST", "/_matrix/client/v3/account/3pid/delete",
		map[string]any{"medium": "email", "address": "alice@example.org"})
	known("alice")

	alice.ok(t, "POST", "/_matrix/client/v3/register", map[string]any{"username": "carol", "password": password,
		"auth": map[string]any{"type": "m.login.email.identity", "threepid_creds": shown("register", "c@example.org")}})
	known("carol", "c@example.org")

	s.tell(t, "provision_user", map[string]any{"localpart": "carol", "set_emails": []string{}})
	sync := func() string {
		return strings.Join(strings.Fields(s.Run(t, "", "synapse", "sync", s.hs.Config)), " ")
	}
	if said := sync(); !strings.Contains(said, "@carol:home.test - other mail addresses at Synapse Synapse is told") ||
		strings.Count(said, "@") != 1 {
		t.Errorf("sync prints\n%s", said)
	}
	known("carol", "c@example.org")
	if said := sync(); said != "both sides are the same" {
		t.Errorf("sync prints\n%s", said)
	}
}

var mailedLink = regexp.MustCompile(`http://\S+/oauth2/email\?\S+`)

// confirm opens a link and presses the button of its page.
func (s *pair) confirm(t *testing.T, link string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	page := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("the page is %d %s, %v", res.StatusCode, body, err)
		}
		return string(body)
	}
	form := process.Hidden(page(browser.Get(link)))
	form.Set("do", "confirm")
	if done := page(browser.PostForm(link, url.Values(form))); !strings.Contains(done, "Confirmed") {
		t.Errorf("the page says\n%s", done)
	}
}
