package bridges

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/test/rig/synapse"
)

// TestApprovalBeforeSynapse: somebody asks for an account on the page, by an invitation's address, before a real
// Synapse. That keeps its names, hears nothing while they wait, and has them when an operator has approved them.
func TestApprovalBeforeSynapse(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--registration", "approval", "--oauth", "on", "--public-url", "http://127.0.0.1:8448")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	for _, tt := range []struct {
		name   string
		status int
		says   string
	}{
		{"_irc_carol", 403, "Dieser Name ist reserviert."},
		{"_irc_old", 403, "Dieser Name ist reserviert."},
		{"alice", 403, "Dieser Name ist vergeben."},
		{"12345", 403, "Dieser Name ist nicht möglich."}, // by Synapse
		{"carol", 403, "Ihr Konto wartet auf Freigabe"},
		{"carol", 403, "Ihr Konto wartet auf Freigabe"}, // pressed twice
	} {
		if status, page := p.create(t, browser, tt.name); status != tt.status || !strings.Contains(page, tt.says) {
			t.Errorf("%s: %d %s", tt.name, status, page)
		}
	}
	logIn := map[string]any{"type": "m.login.password", "password": "of a new one",
		"identifier": map[string]any{"type": "m.id.user", "user": "carol"}}
	p.want(403, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL", "POST", login, "", logIn)
	p.want(400, "M_USER_IN_USE", "GET", "v3/register/available?username=carol", "", nil)
	if p.knows("carol") {
		t.Error("Synapse knows who waits")
	}
	p.postern.Run(t, "", "user", "approve", "carol")
	for tries := 0; !p.knows("carol"); tries++ {
		if tries > 3000 {
			t.Fatal("Synapse is not told of carol")
		}
		time.Sleep(20 * time.Millisecond)
	}
	carol := text(p.ok("POST", login, "", logIn), "access_token")
	p.ok("POST", "v3/createRoom", carol, map[string]any{})
}

// knows asks Synapse itself.
func (p *pair) knows(user string) bool {
	status, _ := synapse.Try(p, "GET", p.hs.URL+"/_matrix/client/v3/profile/@"+user+":"+synapse.ServerName, "", nil)
	return status == http.StatusOK
}

// create fills in the page to make an account, as a German.
func (p *pair) create(t *testing.T, browser *http.Client, name string) (status int, page string) {
	t.Helper()
	ask := func(method, body string) (int, string) {
		r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, p.url+"/register",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", "de")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	_, page = ask("GET", "")
	form := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("the page is %s", page)
	}
	return ask("POST", url.Values{"form": {form[1]}, "user": {name}, "password": {"of a new one"},
		"do": {"create"}}.Encode())
}
