package cli

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"postern/test/rig/smtp"
)

// browser keeps cookies, and fills in forms.
type browser struct {
	*server
	client http.Client
}

var formProof = regexp.MustCompile(`name="form" value="([^"]+)"`)

// open shows a page and, with fields, sends its form.
func (b *browser) open(path string, fields url.Values) (status int, page string) {
	b.Helper()
	res, err := b.client.Get(b.url + path)
	b.need(err)
	page = b.text(res)
	if fields == nil {
		return res.StatusCode, page
	}
	proof := formProof.FindStringSubmatch(page)
	if proof == nil {
		b.Fatalf("%s has no form:\n%s", path, page)
	}
	fields.Set("form", proof[1])
	res, err = b.client.PostForm(b.url+path, fields)
	b.need(err)
	return res.StatusCode, b.text(res)
}

func (b *browser) text(res *http.Response) string {
	b.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	b.need(err)
	return string(text)
}

// TestForgottenByMail: from a forgotten password to a new one, by a page, a real mail server and the link in the mail;
// a kill of the server in between costs nothing, and the owner hears that the password was changed.
func TestForgottenByMail(t *testing.T) {
	t.Parallel()
	there := smtp.New(t, smtp.Config{})
	i := newInstallation(t)
	i.strict = true
	const public = "http://127.0.0.1:1"
	flags := []string{"--rate-limit", "off", "--public-url", public, "--smtp-url", "smtp://127.0.0.1:" + there.Port,
		"--mail-from", "matrix@example.org"}
	there.Be("later") // so that the mail waits
	s := i.serve(flags...)
	i.must("correct horse battery", "user", "add", "alice", "--password-stdin")
	i.mailed("alice", "alice@example.org")
	jar, err := cookiejar.New(nil)
	s.need(err)
	b := &browser{s, http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}}
	if status, page := b.open("/recover", url.Values{"user": {"Alice@Example.org"}, "do": {"recover"}}); status != 200 {
		t.Fatalf("the page answers %d\n%s", status, page)
	}
	until(t, "the mail", func() bool { return strings.Contains(i.must("", "mail", "list"), "reset_password") })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	there.Be("well")
	b.server = i.serve(flags...)
	i.must("", "mail", "retry")
	mails := func() map[string]string { // by subject
		all := make(map[string]string)
		for _, m := range there.Mails() {
			all[m.Header(t, "Subject")] = m.Plain(t)
		}
		return all
	}
	const reset, changed = "Choose a new password for localhost", "Your password on localhost was changed"
	until(t, "the link", func() bool { return mails()[reset] != "" })
	found := regexp.MustCompile(regexp.QuoteMeta(public) + `(/recover\?link=[\w-]+)`).FindStringSubmatch(mails()[reset])
	if found == nil {
		t.Fatalf("the mail is\n%s", mails()[reset])
	}
	const other = "staple of a different battery"
	if status, page := b.open(found[1], url.Values{"new": {other}, "again": {other}, "do": {"choose"}}); status != 200 {
		t.Fatalf("the link answers %d\n%s", status, page)
	}
	b.login("alice", other)
	until(t, "the notice", func() bool { return mails()[changed] != "" })
	if status, page := b.open(found[1], nil); status != http.StatusGone {
		t.Errorf("the link once more: %d\n%s", status, page)
	}
	for _, m := range there.Mails() {
		if n := strings.Count(strings.Join(m.To, " "), "@"); n != 1 || m.To[0] != "alice@example.org" {
			t.Errorf("a mail went to %q", m.To)
		}
	}
}
