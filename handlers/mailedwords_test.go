package handlers

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"postern/db"
)

// TestApprovedWithEmail: an address waits with the account that it was given for.
func TestApprovedWithEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t, func(c *Config) { c.Registration = RegistrationApproval })
	sid := s.ok(s.askForMail(registerPath+"/email/requestToken", "carol@example.org", "s", 1)).Text("sid")
	s.follow("carol@example.org")
	register := call{Method: "POST", Path: registerPath, Body: registerBody("carol", `"auth":`+emailStep(sid, "s", ""))}
	for _, asked := range []call{register,
		{Method: "POST", Path: loginPath, Body: loginBody("carol", password, "")},
		{Method: "POST", Path: draftLoginPath, Body: `{"username":"carol","password":"` + password + `"}`}} {
		a := s.do(asked)
		s.want(a, 403, AwaitingApproval)
		if a.Text("approval_notice_medium") != "org.matrix.msc3866.email" ||
			!strings.Contains(a.Text("error"), "You get a mail") {
			t.Errorf("%s says %s", asked.Path, a.Raw)
		}
	}
	s.awaits(s.register(registerBody("dave", `"auth":{"type":"m.login.dummy"}`)))
	login := call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.password","password":"` + password +
		`","identifier":{"type":"m.id.thirdparty","medium":"email","address":"carol@example.org"}}`}
	s.want(s.do(login), 403, "M_FORBIDDEN")
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	s.ok(s.do(login))
}

// TestMailInItsReadersLanguage: a mail to an account's address is in the language of the address, whoever asks for it
// and however often; one to a stranger's in that of the client.
func TestMailInItsReadersLanguage(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.must(s.db.AddEmail(t.Context(), db.Email{Address: "known@example.org", Localpart: "alice",
		Validated: s.clock.Now(), Added: s.clock.Now(), Language: "de"}))
	for _, path := range []string{resetPath, contactPath} {
		for attempt, language := range []string{"fr", "en-GB, en;q=0.9", ""} {
			for _, address := range []string{"known@example.org", "other@example.org"} {
				s.ok(s.do(call{Method: "POST", Path: path + "email/requestToken",
					Header: map[string]string{"Accept-Language": language}, Body: fmt.Sprintf(
						`{"client_secret":"s","send_attempt":%d,"email":%q}`, attempt+1, address)}))
			}
		}
	}
	got := make(map[string]int)
	for _, v := range s.waitingMails() {
		got[v.Kind+" "+v.Language]++
	}
	want := map[string]int{MailAppReset + " de": 3, MailKnown + " de": 3, MailAppVerify + " fr": 1,
		MailAppVerify + " en": 1, MailAppVerify + " ": 1}
	if !maps.Equal(got, want) {
		t.Errorf("the mails are %v, want %v", got, want)
	}
}

// TestNoTextMessages: where there is mail, nobody reads that there is none.
func TestNoTextMessages(t *testing.T) {
	t.Parallel()
	s := mailSite(t, func(c *Config) { c.Registration = RegistrationOpen })
	token := s.ok(s.login("")).Text("access_token")
	for _, path := range []string{resetPath, registerPath + "/", contactPath} {
		a := s.do(call{Method: "POST", Path: path + "msisdn/requestToken", Token: token,
			Body: `{"client_secret":"s","send_attempt":1,"country":"GB","phone_number":"07700900001"}`})
		if a.Status != 400 || !strings.Contains(a.Text("error"), "no text messages") ||
			strings.Contains(a.Text("error"), "neither mail") {
			t.Errorf("%s: %s", path, a.Raw)
		}
	}
}
