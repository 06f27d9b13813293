package homeserver

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/handlers"
	"postern/test/rig/fakesynapse"
	"postern/test/rig/process"
)

// TestDeskInFront: at the operator's desk stands what the homeserver has to be told still, with the error and the next
// try; and what is done there it learns.
func TestDeskInFront(t *testing.T) {
	t.Parallel()
	b := newBehind(t, withOAuth)
	b.must(b.db.SetAdmin(t.Context(), "alice", true))
	at := httptest.NewServer(b.server.Handler())
	defer at.Close()
	jar, err := cookiejar.New(nil)
	b.must(err)
	client := http.Client{Jar: jar}
	send := func(r *http.Request) string {
		t.Helper()
		answer, err := client.Do(r)
		b.must(err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		b.must(err)
		return string(body)
	}
	get := func(query string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+handlers.DeskPath+query, nil)
		b.must(err)
		return send(r)
	}
	press := func(query, page string, fields ...string) string {
		t.Helper()
		form := process.Hidden(page)
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL+handlers.DeskPath+query,
			strings.NewReader(form.Encode()))
		b.must(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return send(r)
	}
	has := func(page string, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(page, word) {
				t.Fatalf("the page has no %q: %s", word, page)
			}
		}
	}
	b.tell()
	press("", get(""), "user", "alice", "password", password, "do", "sign in")
	has(get("?action=queues"), "For the homeserver", "Nothing waits.")
	const bob = "?action=person&name=bob"
	do := func(what, says string) {
		t.Helper()
		asks := press(bob, get(bob), "do", what)
		if !strings.Contains(asks, `role="status"`) {
			asks = press(bob, asks, "do", what)
		}
		has(asks, says)
	}
	do("lock", "The account is locked.")
	b.tell()
	if there := b.there.User("bob"); there == nil || !there.Locked {
		t.Fatalf("there bob is %+v", there)
	}
	b.there.Be(fakesynapse.Away)
	do("unlock", "The account is unlocked.")
	b.tells.Start()
	b.tried()
	page := get("?action=queues")
	has(page, "@bob:example.org", "<code class=\"quiet\">", "next try ")
	if strings.Contains(page, "tries: 0") {
		t.Errorf("nothing was tried: %s", page)
	}
	has(get(""), ">Waits for the homeserver</a></dt><dd>1</dd>")
	b.there.Be(fakesynapse.Well)
	do("deactivate", "The account is deactivated.")
	b.tell()
	if there := b.there.User("bob"); there == nil || !there.Deactivated {
		t.Fatalf("there bob is %+v", there)
	}
	do("reactivate", "The account is open again.") // which a Synapse on a new database does not do yet
	b.tried()
	has(get("?action=queues"), "was refused", "before its background updates have ended")
}

// tried waits until the homeserver was told of something without success.
func (b *behind) tried() {
	b.Helper()
	for range 1000 {
		if all, err := b.queue.List(b.Context()); err == nil && len(all) > 0 && all[0].Tries > 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatal("nothing was tried")
}
