package db

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"
)

func aLogin(id, device string) Login {
	return Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, At: t0, KeyID: 1}
}

// follower is an extension with a table of its own, and a Follow that writes there what it is called with.
func follower(dsn string) (c Config, fail *error) {
	fail = new(error)
	return Config{DSN: dsn, Extensions: []Extension{{Name: "test",
		Migrations: fstest.MapFS{"0001_followed.sql": {Data: []byte(
			"-- +goose Up\nCREATE TABLE followed (n BIGINT NOT NULL PRIMARY KEY, what TEXT NOT NULL, live BOOLEAN NOT NULL);")}},
		Tables: []Table{{Name: "followed", Columns: "n, what, live", Bools: "live"}}}},
		Follow: func(t *Tx, localpart, deviceID string) error {
			live, err := t.Get(sessionOnDevice, []any{new(string)}, localpart, deviceID)
			const q = `INSERT INTO followed (n, what, live) SELECT COUNT(*), CAST($1 AS TEXT), $2 FROM followed`
			return errors.Join(err, t.Exec(q, localpart+" "+deviceID, live), *fail)
		}}, fail
}

func (d *DB) followed(t *testing.T) (all []string) {
	t.Helper()
	err := d.Read(bg, `SELECT what, live FROM followed ORDER BY n`, nil, func(scan func(...any) error) error {
		var what string
		var live bool
		err := scan(&what, &live)
		if live {
			what += " live"
		}
		all = append(all, what)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each change that a homeserver must learn of calls Follow once, when it is made; what changes nothing does not.
func TestFollow(t *testing.T) {
	t.Parallel()
	c, _ := follower(dsn(t))
	d := open(t, c)
	user := User{Localpart: "alice", PasswordHash: "hash", Created: t0}
	l := aLogin("first", "F")
	for _, step := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"an account", func() error { return d.CreateUser(bg, user) }, []string{"alice "}},
		{"the same", func() error { return d.CreateUser(bg, user) }, nil},
		{"a lock", func() error { return d.LockUser(bg, "alice", t0) }, []string{"alice "}},
		{"no longer", func() error { return d.UnlockUser(bg, "alice") }, []string{"alice "}},
		{"nobody's lock", func() error { return d.LockUser(bg, "nobody", t0) }, nil},
		{"a login", func() error { _, err := d.StartSession(bg, aLogin("one", "A")); return err },
			[]string{"alice A live"}},
		{"another on the device", func() error { _, err := d.StartSession(bg, aLogin("two", "A")); return err },
			[]string{"alice A live"}},
		{"a refresh", func() error { _, err := d.AdvanceGeneration(bg, refresh("two", 1)); return err }, nil},
		{"a name", func() error { return d.RenameDevice(bg, "alice", "A", "new") }, []string{"alice A live"}},
		{"a logout", func() error { return d.EndSession(bg, "two") }, []string{"alice A"}},
		{"the same", func() error { return d.EndSession(bg, "two") }, nil},
		{"a registration", func() error {
			_, err := d.Register(bg, Registration{Localpart: "bob", PasswordHash: "h", At: t0, Login: &l})
			return err
		}, []string{"bob ", "bob F live"}},
		{"the end of an account", func() error { _, err := d.Deactivate(bg, "bob", t0, false); return err },
			[]string{"bob ", "bob F"}},
		{"and its return", func() error { return d.Reactivate(bg, "bob") }, []string{"bob "}},
	} {
		before := len(d.followed(t))
		err := step.do()
		if got := d.followed(t)[before:]; !slices.Equal(got, step.want) || (err != nil) != (step.want == nil) &&
			step.name != "a refresh" {
			t.Errorf("%s: %q, %v, want %q", step.name, got, err, step.want)
		}
	}
}

// If Follow fails, the change does not happen, and the others in its transaction do.
func TestFollowFails(t *testing.T) {
	t.Parallel()
	c, fail := follower(dsn(t))
	d := open(t, c)
	*fail = errors.New("not now")
	if err := d.CreateUser(bg, User{Localpart: "alice", Created: t0}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := d.User(bg, "alice"); !errors.Is(err, ErrNotFound) || len(d.followed(t)) > 0 {
		t.Errorf("something is left of it: %v", err)
	}
	*fail = nil
	if err := d.CreateUser(bg, User{Localpart: "alice", Created: t0}); err != nil {
		t.Error(err)
	}
}

// An extension migrates its tables when it is new to a database, and they go along with a copy and into a backup.
func TestExtension(t *testing.T) {
	t.Parallel()
	place := dsn(t)
	if err := freshAt(t, Config{DSN: place}).Close(); err != nil {
		t.Fatal(err)
	}
	c, _ := follower(place)
	for range 2 {
		d := open(t, c)
		if err := d.LockUser(bg, "alice", t0); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	away, saved := file(t), file(t)
	_, err := Backup(bg, CopyConfig{From: place, To: saved, Extensions: c.Extensions})
	_, err2 := Copy(bg, CopyConfig{From: place, To: away, Extensions: c.Extensions})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, there := range []string{away, saved} {
		c.DSN = there
		if got := open(t, c).followed(t); !slices.Equal(got, []string{"alice ", "alice "}) {
			t.Errorf("%s: %q", there, got)
		}
	}
}

// What a statement of another package does to a session shows at once, and what is to be done after the commit is done
// by the time the write is answered, and only then.
func TestWrite(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	d.session(t, "one") // in memory
	calls := 0
	rename := func(query string) error {
		return d.Write(bg, func(t *Tx) error {
			t.AfterCommit(func() { calls++ })
			t.Forget("one")
			return t.Exec(query, "one")
		})
	}
	if err := rename(`UPDATE sessions SET display_name = 'other' WHERE id = $1`); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if s := d.session(t, "one"); s.DisplayName != "other" {
		t.Errorf("%+v", s)
	}
	if err := rename(`UPDATE nothing SET display_name = 'x' WHERE id = $1`); !errors.Is(err, ErrUnavailable) ||
		calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	refused := errors.New("an answer")
	if err := d.Write(bg, func(t *Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

// What Registration.Also writes is committed with the account, or neither is.
func TestRegisterAlso(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for name, fails := range map[string]error{"bob": nil, "carol": errors.New("not now")} {
		_, err := d.Register(bg, Registration{Localpart: name, PasswordHash: "h", At: t0, Also: func(t *Tx) error {
			found, err := t.Get(`SELECT localpart FROM users WHERE localpart = $1`, nil, name)
			if err == nil && !found {
				err = errors.New("it runs before the account is made")
			}
			return errors.Join(err, t.Exec(setSetting, name, "also"), fails)
		}})
		also, err2 := d.Setting(bg, name)
		_, err3 := d.User(bg, name)
		nothing := errors.Is(err, ErrUnavailable) && errors.Is(err2, ErrNotFound) && errors.Is(err3, ErrNotFound)
		if fails == nil && (err != nil || also != "also" || err3 != nil) || fails != nil && !nothing {
			t.Errorf("%s: %v, %q %v, %v", name, err, also, err2, err3)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	const query = `SELECT password_hash, created FROM users WHERE localpart = $1`
	var hash string
	var created int64
	if found, err := d.Get(bg, query, []any{&hash, &created}, "alice"); err != nil || !found || hash != "hash" ||
		!FromMillis(created).Equal(t0) {
		t.Errorf("%v, %v, %q, %d", found, err, hash, created)
	}
	if found, err := d.Get(bg, query, []any{&hash, &created}, "nobody"); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := d.Get(bg, `SELECT x FROM nothing`, []any{&hash}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
