package db

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// account is what happens to alice's account and devices as a whole.
func (y *story) account() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"login": y.login,
		"logout": func(t *rapid.T) {
			dev := device.Draw(t, "device")
			err := y.by(t).EndDevice(bg, "alice", dev)
			if (err == nil) != (y.sessions[dev] != nil) {
				t.Fatalf("logout: %v", err)
			}
			y.end(dev)
		},
		"delete devices": func(t *rapid.T) {
			devs := rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C", "X"}), 0, 4).Draw(t, "devices")
			before := len(y.sessions)
			for _, dev := range devs {
				y.end(dev)
			}
			if n, err := y.by(t).EndDevices(bg, "alice", devs); err != nil || n != before-len(y.sessions) {
				t.Fatalf("%v: %d ended, %v", devs, n, err)
			}
		},
		"rename": func(t *rapid.T) {
			dev, name := device.Draw(t, "device"), rapid.SampledFrom([]string{"", "Phone", "Télé"}).Draw(t, "name")
			err := y.by(t).RenameDevice(bg, "alice", dev, name)
			if (err == nil) != (y.sessions[dev] != nil) {
				t.Fatalf("rename: %v", err)
			}
			if err == nil {
				y.sessions[dev].name = name
			}
		},
		"lock": func(t *rapid.T) {
			lock := rapid.Bool().Draw(t, "lock")
			by := y.by(t)
			err := by.UnlockUser(bg, "alice")
			if lock {
				err = by.LockUser(bg, "alice", FromMillis(y.now))
			}
			if err != nil {
				t.Fatal(err)
			}
			y.locked = lock
			for _, m := range y.sessions {
				m.locked = lock
			}
		},
		"password": y.password,
		"deactivate": func(t *rapid.T) {
			n, err := y.other.Deactivate(bg, "alice", FromMillis(y.now), false)
			if err != nil || n != len(y.sessions) {
				t.Fatalf("%d of %d ended, %v", n, len(y.sessions), err)
			}
			for dev := range y.sessions {
				y.end(dev)
			}
			if err := y.other.Reactivate(bg, "alice"); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// login presents the password, an older one, or a login token that is new, spent, over or of a session that may be
// gone.
func (y *story) login(t *rapid.T) {
	dev, end := device.Draw(t, "device"), rapid.SampledFrom([]int64{0, 0, 600_000}).Draw(t, "end")
	y.made++
	secret := binary.BigEndian.AppendUint32(nil, uint32(2*y.made)) // a mark holds 31 bits
	l := Login{ID: SessionID(FromMillis(y.now), append(secret, make([]byte, SessionSecret)...)),
		Localpart: "alice", PasswordHash: y.hash, DeviceID: dev,
		DisplayName: dev, At: FromMillis(y.now),
		KeyID: 1, AccessTTL: 5 * time.Minute, Seen: y.seen()}
	m := &model{id: l.ID, name: dev, n: 1, oldest: 1, minted: y.now, accessEnd: y.now + 300_000}
	if end != 0 {
		m.end, l.Expires = y.now+end, FromMillis(y.now+end)
	}
	var want error
	switch rapid.SampledFrom([]string{"password", "password", "password", "old password", "login token"}).Draw(t,
		"proof") {
	case "old password":
		l.PasswordHash, want = "none of hers", ErrConflict
	case "login token":
		life := rapid.SampledFrom([]int64{120_000, 120_000, 1, 0, -1}).Draw(t, "life")
		l.PasswordHash, l.LoginToken, l.LoginTokenExpires = "",
			rapid.SampledFrom([]string{"t", "u", "v", "w"}).Draw(t, "token"), FromMillis(y.now+life)
		issuer := rapid.SampledFrom([]string{"A", "B", "none", "none"}).Draw(t, "issuer")
		by := y.sessions[issuer]
		if issuer != "none" {
			l.Issuer = "gone"
		}
		if by != nil {
			l.Issuer = by.id
		}
		if life <= 0 || y.spent[l.LoginToken] || issuer != "none" &&
			(by == nil || by.soft || by.end != 0 && y.now >= by.end) {
			want = ErrTokenSpent
		} else if !y.locked {
			y.spent[l.LoginToken] = true
		}
	}
	if want == nil && y.locked {
		want = ErrLocked
	}
	s, err := y.d.StartSession(bg, l)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Fatalf("login: %v, the model says %v", err, want)
	}
	if err != nil {
		return
	}
	if old := y.sessions[dev]; old != nil {
		m.name = old.name
	}
	y.end(dev)
	y.born[m.id] = y.now
	m.agrees(t, "login", s)
	y.sessions[dev] = m
}

// password changes the password, or how it is hashed.
func (y *story) password(t *rapid.T) {
	y.made++
	hash, old := fmt.Sprint("hash", y.made), rapid.SampledFrom([]string{y.hash, y.hash, "none of hers"}).Draw(t, "old")
	if rapid.Bool().Draw(t, "rehash") {
		err := y.by(t).Rehash(bg, "alice", old, hash)
		if (err == nil) != (old == y.hash) || err != nil && !errors.Is(err, ErrConflict) {
			t.Fatalf("rehash: %v", err)
		}
		if err == nil {
			y.hash = hash
		}
		return
	}
	c := PasswordChange{Localpart: "alice", OldHash: rapid.SampledFrom([]string{old, ""}).Draw(t, "compared"),
		Hash:      hash,
		EndOthers: rapid.Bool().Draw(t, "end others")}
	keep := device.Draw(t, "keep")
	barred := false // the session that asks has to be live, and its account open
	if m := y.sessions[keep]; m != nil {
		c.Keep, barred = m.id, m.soft || m.locked
	}
	n, err := y.by(t).ChangePassword(bg, c)
	if barred || c.OldHash != "" && (c.OldHash != y.hash || y.locked) {
		if !errors.Is(err, ErrConflict) {
			t.Fatalf("password: %v", err)
		}
		return
	}
	y.hash = hash
	before := len(y.sessions)
	if c.EndOthers {
		for dev := range y.sessions {
			if dev != keep {
				y.end(dev)
			}
		}
	}
	if err != nil || n != before-len(y.sessions) {
		t.Fatalf("password: %d ended, %v", n, err)
	}
}
