package imported

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"postern/db"
)

// Arrival is an account of another server as it is there now, with its devices if those are to come as well.
type Arrival struct {
	User        db.User
	Emails      []db.Email
	WithDevices bool
	Devices     []Device
}

// Device is a device of another server and the tokens that are in use on it.
type Device struct {
	Session               string // the id that its session will have here
	DeviceID, DisplayName string
	// the other server has the tokens but does not list the device: it must be added there, or our tokens are refused
	Unlisted bool
	// a token of it is good; else the session is a soft one, which keeps the device and its name
	Live          bool
	Refreshable   bool
	AccessExpires time.Time // of the access token that lasts longest; zero: never
	Expires       time.Time // the session's absolute end; zero: none
	Seen          db.Seen
	Tokens        []Token // without their session
}

// Mark is the account as it is there, in few bytes: it differs when something has changed there. It is kept with the
// account here (users.imported), so that a later import can distinguish what happened over there from what happened
// here. Databases hold marks of this form, so a later release has to read it:
//
//	hash of the password hash · l if locked · d if deactivated · a if an administrator ·
//	"@" and a hash of its mail addresses, if it has any · "/" and a hash of each device, if devices came
//
// When a device was last seen is not in it.
func (a Arrival) Mark() string { return a.mark().String() }

// accountMark is a mark, taken apart.
type accountMark struct {
	came                bool // the account came from elsewhere; else the rest is empty
	password            string
	locked, deactivated bool
	admin               bool
	emails              string
	withDevices         bool
	devices             []string
}

const markBytes = 8 // two states of one thing that differ look the same once in 2⁶⁴ times

func (a Arrival) mark() accountMark {
	password := sha256.Sum256([]byte(a.User.PasswordHash))
	b := accountMark{came: true, password: hex.EncodeToString(password[:markBytes]), locked: !a.User.Locked.IsZero(),
		deactivated: !a.User.Deactivated.IsZero(), admin: a.User.Admin, withDevices: a.WithDevices}
	for _, d := range a.Devices {
		b.devices = append(b.devices, d.mark())
	}
	slices.Sort(b.devices)
	if len(a.Emails) > 0 {
		h := sha256.New()
		for _, e := range a.Emails {
			field(h, []byte(e.Address))
		}
		b.emails = hex.EncodeToString(h.Sum(nil)[:markBytes])
	}
	return b
}

func (d Device) mark() string {
	h := sha256.New()
	field(h, []byte(d.DeviceID))
	field(h, []byte(d.DisplayName))
	_ = binary.Write(h, binary.BigEndian, db.Millis(d.Expires)) // a hash never fails
	tokens := make([]string, len(d.Tokens))
	for i, t := range d.Tokens {
		tokens[i] = fmt.Sprintf("%x %t %d ", t.Hash, t.Refresh, db.Millis(t.Expires))
	}
	slices.Sort(tokens)
	for _, t := range tokens {
		field(h, []byte(t))
	}
	return hex.EncodeToString(h.Sum(nil)[:markBytes])
}

// field adds text so that where it ends cannot be mistaken.
func field(h hash.Hash, text []byte) {
	_ = binary.Write(h, binary.BigEndian, uint64(len(text)))
	h.Write(text)
}

// String is how a mark is written down.
func (b accountMark) String() string {
	text := b.password
	if b.locked {
		text += "l"
	}
	if b.deactivated {
		text += "d"
	}
	if b.admin {
		text += "a"
	}
	if b.emails != "" {
		text += "@" + b.emails
	}
	if b.withDevices {
		text += "/" + strings.Join(b.devices, "")
	}
	return text
}

// parseMark reads a mark; an empty one is of an account that was made here.
func parseMark(text string) (b accountMark) {
	account, devices, with := strings.Cut(text, "/")
	account, emails, _ := strings.Cut(account, "@")
	if len(account) < 2*markBytes {
		return accountMark{}
	}
	b = accountMark{came: true, password: account[:2*markBytes], withDevices: with, emails: emails}
	flags := account[2*markBytes:]
	b.locked, b.deactivated, b.admin = strings.Contains(flags, "l"), strings.Contains(flags, "d"),
		strings.Contains(flags, "a")
	for ; len(devices) >= 2*markBytes; devices = devices[2*markBytes:] {
		b.devices = append(b.devices, devices[:2*markBytes])
	}
	return b
}

// WithDevices reports whether devices came with the account that has a mark.
func WithDevices(mark string) bool { return parseMark(mark).withDevices }

// has says that a device was the same when the mark was made.
func (b accountMark) has(d Device) bool { return slices.Contains(b.devices, d.mark()) }
