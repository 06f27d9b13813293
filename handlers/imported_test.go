package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/homeserver/imported"
	"postern/test/rig/matrixtest"
)

// bring imports devices of alice's, as her other server has them.
func (s *site) bring(devices ...imported.Device) []imported.Arrived {
	s.Helper()
	return matrixtest.Import(s, s.db, s.clock.Now(), devices...)
}

// phone is a device that can refresh.
func (s *site) phone(name string) imported.Device {
	return matrixtest.ImportedPhone(name, s.clock.Now())
}

// TestImported: tokens of another server are good until the client refreshes, and nobody is logged out on the way.
func TestImported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.bring(s.phone("PHONE"), imported.Device{DeviceID: "OLD", Live: true,
		Tokens: []imported.Token{matrixtest.ImportedToken("MDAxOGxvY2F0aW9u", false, time.Time{})}},
		imported.Device{DeviceID: "IDLE", DisplayName: "an old tablet"})

	who := s.ok(s.whoami("syt_access_PHONE"))
	if who.Text("device_id") != "PHONE" || who.Text("user_id") != "@alice:"+host {
		t.Errorf("the token is of %s", who.Raw)
	}
	s.ok(s.whoami("MDAxOGxvY2F0aW9u"))
	list := s.ok(s.do(call{Method: "GET", Path: devicesPath, Token: "syt_access_PHONE"}))
	for _, device := range []string{`"IDLE"`, `"an old tablet"`, `"OLD"`, `"her phone"`} {
		if !strings.Contains(list.Raw, device) {
			t.Errorf("%s is not in %s", device, list.Raw)
		}
	}
	refused := func(a answer, soft bool) {
		t.Helper()
		if s.want(a, 401, "M_UNKNOWN_TOKEN"); a.Soft() != soft {
			t.Errorf("soft_logout is %v in %s", a.Soft(), a.Raw)
		}
	}
	refused(s.whoami("syt_before_PHONE"), true) // expired over there: the client must know that it may refresh
	refused(s.whoami("syt_unknown"), false)
	refused(s.whoami("syr_refresh_PHONE"), true)
	refused(s.refresh("syt_access_PHONE"), false)
	refused(s.refresh("syr_unknown"), false)
	refused(s.refresh("syr_spent_PHONE"), true) // over there it was refused, too, and nothing ended
	s.ok(s.whoami("syt_access_PHONE"))

	pair := s.ok(s.refresh("syr_refresh_PHONE"))
	if again := s.ok(s.refresh("syr_refresh_PHONE")); again.Raw != pair.Raw {
		t.Errorf("a lost answer is another one: %s and %s", pair.Raw, again.Raw)
	}
	s.ok(s.whoami("syt_access_PHONE"))
	s.ok(s.whoami(pair.Text("access_token")))
	s.ok(s.whoami("syt_access_PHONE")) // until its own expiry
	s.clock.Step(20 * time.Second)
	if again := s.ok(s.refresh("syr_refresh_PHONE")); again.Text("access_token") != pair.Text("access_token") {
		t.Errorf("a second tab within the leeway gets another pair: %s and %s", pair.Raw, again.Raw)
	}
	next := s.ok(s.refresh(pair.Text("refresh_token")))
	s.ok(s.whoami(next.Text("access_token")))
	s.clock.Step(time.Minute)
	refused(s.refresh("syr_refresh_PHONE"), true)       // a replay,
	refused(s.whoami("syt_access_PHONE"), true)         //
	refused(s.whoami(next.Text("access_token")), true)  // which ends it softly
	s.ok(s.login(`"device_id":"PHONE"`))                // and a login goes on with the device.
	refused(s.whoami("syt_access_PHONE"), false)        // Its old tokens are gone with the old session.
	refused(s.refresh("syr_refresh_PHONE"), false)      //
	s.ok(s.logout("MDAxOGxvY2F0aW9u"))                  //
	refused(s.whoami("MDAxOGxvY2F0aW9u"), false)        //
	s.want(s.tokenRefresh("syr_x"), 403, "M_FORBIDDEN") //
}

// TestImportedAtTheDraftsDoor: there a refresh token works once, wherever it came from.
func TestImportedAtTheDraftsDoor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.bring(s.phone("PHONE"))
	pair := s.ok(s.tokenRefresh("syr_refresh_PHONE"))
	s.want(s.tokenRefresh("syr_refresh_PHONE"), 403, "M_FORBIDDEN")
	s.want(s.whoami("syt_access_PHONE"), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(pair.Text("access_token")))
}

// TestImportedExpires: an expired token says so softly, and lets its holder leave.
func TestImportedExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	device := s.phone("PHONE")
	device.Tokens = append(device.Tokens, matrixtest.ImportedToken("syt_lasting", false, time.Time{}))
	device.AccessExpires = time.Time{}
	s.bring(device)
	s.clock.Step(5 * time.Minute)
	a := s.whoami("syt_access_PHONE")
	if s.want(a, 401, "M_UNKNOWN_TOKEN"); !a.Soft() {
		t.Error(a.Raw)
	}
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.want(s.whoami("syt_lasting"), 401, "M_USER_LOCKED")
	s.want(s.refresh("syr_refresh_PHONE"), 401, "M_USER_LOCKED")
	s.ok(s.logout("syt_access_PHONE"))
	s.want(s.whoami("syt_lasting"), 401, "M_UNKNOWN_TOKEN")
}

// TestImportedRacers: many clients with one imported refresh token get one pair.
func TestImportedRacers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.bring(s.phone("PHONE"))
	const racers = 16
	answers := make(chan string, racers)
	for range racers {
		go func() {
			a := s.refresh("syr_refresh_PHONE")
			answers <- fmt.Sprint(a.Status, a.Text("access_token"), a.Text("refresh_token"))
		}()
	}
	first := <-answers
	for range racers - 1 {
		if a := <-answers; a != first || !strings.HasPrefix(a, "200") {
			t.Errorf("one gets %s and another %s", first, a)
		}
	}
}

// BenchmarkImported is a check of a token that another server gave, beside one of our own.
func BenchmarkImported(b *testing.B) {
	s := newSite(b)
	device := s.phone("PHONE")
	device.Tokens[0].Expires = time.Time{}
	s.bring(device)
	for name, token := range map[string]string{"imported": "syt_access_PHONE",
		"own": s.loggedIn().Text("access_token")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.server.checked(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
