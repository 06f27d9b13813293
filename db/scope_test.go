package db

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// meeting is two writes that look at what the other one changes, at two replicas at once.
type meeting struct {
	prepare    func(d *DB, user string) error
	one, other func(d *DB, user string) error
	may        []error // that either may answer
	// what must hold afterwards, in whichever order they came; the errors are theirs
	check func(t *testing.T, d *DB, user string, one, other error)
}

func freshLogin(user string) Login {
	return Login{ID: user + "-new", Localpart: user, PasswordHash: "hash", DeviceID: "NEW", At: t0, KeyID: 1}
}

func logsIn(d *DB, user string) error {
	_, err := d.StartSession(bg, freshLogin(user))
	return err
}

func signsIn(d *DB, user string) error {
	return d.AddBrowser(bg, Browser{ID: user + "-browser", Localpart: user, Since: Seen{At: t0}, Proved: t0,
		Expires: t0.Add(time.Hour)}, "hash", false)
}

func noSession(t *testing.T, d *DB, user string, _, _ error) {
	t.Helper()
	if left, err := d.Sessions(bg, user); err != nil || len(left) > 0 {
		t.Errorf("%d sessions are left: %v", len(left), err)
	}
}

func noBrowser(t *testing.T, d *DB, user string, _, _ error) {
	t.Helper()
	if left, err := d.Browsers(bg, user); err != nil || len(left) > 0 {
		t.Errorf("%d browsers are left: %v", len(left), err)
	}
}

// onlyOne wants one of two to succeed.
func onlyOne(t *testing.T, _ *DB, _ string, one, other error) {
	t.Helper()
	if (one == nil) == (other == nil) {
		t.Errorf("%v and %v", one, other)
	}
}

func changesPassword(d *DB, user string) error {
	_, err := d.ChangePassword(bg, PasswordChange{Localpart: user, Hash: "new", EndOthers: true})
	return err
}

func deactivates(d *DB, user string) error {
	_, err := d.Deactivate(bg, user, t0, false)
	return err
}

func registers(as, with string) func(*DB, string) error {
	return func(d *DB, user string) error {
		r := Registration{Localpart: user + as, PasswordHash: "hash", At: t0}
		if with != "" {
			r.Token = user + with
		}
		_, err := d.Register(bg, r)
		return err
	}
}

func invites(d *DB, user string) error {
	return d.AddRegistrationToken(bg, RegistrationToken{Token: user + "-invite", UsesAllowed: 1, Created: t0})
}

func reserves(by string) func(*DB, string) error {
	return func(d *DB, user string) error {
		return d.ReserveRegistrationToken(bg, user+"-invite", user+by, t0, t0.Add(time.Hour))
	}
}

func interacts(d *DB, user string) error {
	return d.AddInteraction(bg, Interaction{ID: user + "-uia", Expires: t0.Add(time.Hour), Sealed: []byte("a")}, t0,
		1000)
}

var meetings = map[string]meeting{
	"password and login": {one: changesPassword, other: logsIn, may: []error{ErrConflict}, check: noSession},
	"password and page":  {one: changesPassword, other: signsIn, may: []error{ErrConflict}, check: noBrowser},
	"closing and login":  {one: deactivates, other: logsIn, may: []error{ErrConflict}, check: noSession},
	"closing and page":   {one: deactivates, other: signsIn, may: []error{ErrConflict}, check: noBrowser},
	"logout everywhere and a token's login": {prepare: func(d *DB, user string) error {
		l := freshLogin(user)
		l.ID, l.DeviceID = user+"-issuer", "OLD"
		_, err := d.StartSession(bg, l)
		return err
	}, one: func(d *DB, user string) error {
		_, err := d.EndSessions(bg, user)
		return err
	}, other: func(d *DB, user string) error {
		l := freshLogin(user)
		l.PasswordHash, l.Issuer, l.LoginToken = "", user+"-issuer", user+"-token"
		l.LoginTokenExpires = t0.Add(time.Hour)
		_, err := d.StartSession(bg, l)
		return err
	}, may: []error{ErrTokenSpent}, check: noSession},
	"a factor and a page": {one: func(d *DB, user string) error {
		return d.AddFactor(bg, Factor{ID: user + "-key", Localpart: user, Kind: FactorPasskey, Created: t0,
			Sealed: []byte("k")}, "", nil)
	}, other: signsIn, may: []error{ErrConflict}, check: noBrowser},
	"one name": {one: registers("x", ""), other: registers("x", ""), may: []error{ErrConflict}, check: onlyOne},
	"one name in other letters": {one: registers("x", ""), other: registers("X", ""), may: []error{ErrConflict},
		check: onlyOne},
	"one name, which waits": {one: registers("x", ""), other: func(d *DB, user string) error {
		_, err := d.Register(bg, Registration{Localpart: user + "x", PasswordHash: "hash", At: t0, Waits: true})
		return err
	}, may: []error{ErrConflict}, check: onlyOne},
	"one invitation": {prepare: invites, one: registers("x", "-invite"), other: registers("y", "-invite"),
		may: []error{ErrTokenSpent}, check: onlyOne},
	"one use set aside": {prepare: invites, one: reserves("x"), other: reserves("y"), may: []error{ErrTokenSpent},
		check: onlyOne},
	"a use set aside and taken": {prepare: invites, one: reserves("x"), other: registers("y", "-invite"),
		may: []error{ErrTokenSpent}, check: onlyOne},
	"one interaction": {prepare: interacts, one: func(d *DB, user string) error {
		_, err := d.Register(bg, Registration{Localpart: user + "x", PasswordHash: "hash", At: t0,
			Interaction: &Interaction{ID: user + "-uia", Sealed: []byte("b")}})
		return err
	}, other: func(d *DB, user string) error {
		return d.SaveInteraction(bg, Interaction{ID: user + "-uia", Sealed: []byte("c")})
	}, may: []error{ErrConflict}, check: onlyOne},
	"a client and its login": {prepare: func(d *DB, user string) error { return d.KeepClient(bg, user, "{}", t0) },
		one: func(d *DB, user string) error {
			_, err := d.RemoveClient(bg, user, false)
			return err
		}, other: func(d *DB, user string) error {
			l := freshLogin(user)
			l.ClientID = user
			_, err := d.StartSession(bg, l)
			return err
		}, may: []error{ErrConflict}, check: onlyOne},
	"a key and a login": {prepare: func(d *DB, user string) error {
		return errors.Join(d.AddRootKey(bg, RootKey{ID: keyOf(user), Wrapped: []byte("k"), Created: t0}),
			d.AddRootKey(bg, RootKey{ID: keyOf(user) + 1, Wrapped: []byte("k"), Created: t0}))
	}, one: func(d *DB, user string) error { return d.RetireRootKey(bg, keyOf(user), t0, false) },
		other: func(d *DB, user string) error {
			l := freshLogin(user)
			l.KeyID = keyOf(user)
			_, err := d.StartSession(bg, l)
			return err
		}, may: []error{ErrKeyInUse, ErrKeyGone}, check: onlyOne},
	"two logins on a device": {one: logsIn, other: func(d *DB, user string) error {
		l := freshLogin(user)
		l.ID = user + "-other"
		_, err := d.StartSession(bg, l)
		return err
	}, check: func(t *testing.T, d *DB, user string, _, _ error) {
		t.Helper()
		if left, err := d.Sessions(bg, user); err != nil || len(left) != 1 {
			t.Errorf("%d sessions: %v", len(left), err)
		}
	}},
}

func keyOf(user string) (n int64) {
	_, _ = fmt.Sscanf(user, "user%d", &n)
	return 100 + 10*n
}

// TestMeetings lets two writes meet at two replicas, each of which looks at what the other changes: what comes of them
// is what would have come of one after the other.
func TestMeetings(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	if err := one.AddRootKey(bg, RootKey{ID: 1, Wrapped: []byte("k"), Created: t0}); err != nil {
		t.Fatal(err)
	}
	for name, m := range meetings {
		t.Run(name, func(t *testing.T) {
			for round := range repeat(20, 5) {
				user := fmt.Sprintf("user%d %s", round, name)
				err := one.CreateUser(bg, User{Localpart: user, PasswordHash: "hash", Created: t0})
				if err == nil && m.prepare != nil {
					err = m.prepare(one, user)
				}
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				var errs [2]error
				wg.Go(func() { errs[0] = m.one(one, user) })
				wg.Go(func() { errs[1] = m.other(two, user) })
				wg.Wait()
				for _, err := range errs {
					if err != nil && !slices.ContainsFunc(m.may, func(may error) bool { return errors.Is(err, may) }) {
						t.Fatal(err)
					}
				}
				m.check(t, one, user, errs[0], errs[1])
			}
		})
	}
}
