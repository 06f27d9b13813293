// Package rendezvous keeps the mailboxes in which two devices of a person link each other, by a QR code that one of
// them shows: "link new device". The new one then logs in by the device grant.
//
// # What it is
//
// A mailbox holds one message. Whoever knows its id, which is in the QR code, may read the message and leave another
// one in its place, if nobody else has done so since they read it. What the devices write is encrypted between them, so
// the server is not trusted with it; a mailbox is no more than a place that both can reach.
//
// There are two drafts, which differ in how they write this down: MSC4108 of 2024, which Element X and Element Web use,
// in texts and HTTP headers (msc4108.go); and MSC4388 of 2025 in JSON (msc4388.go).
//
// # Laws
//
//   - Of many who leave a message at once one does, at whichever replica, and the others are told.
//   - A message that is sent again, since the answer was lost, is no other: the answer is the same, even if the other
//     device has answered it meanwhile.
//   - Mailboxes are bounded in size, number and time, and so is how often one may be written: strangers open them. An
//     address opens as many as it may register clients.
//   - Nothing of them is readable in the database, nor is the id under which they are reached.
//   - No browser shows a message as a page.
package rendezvous

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"postern/db"
	"postern/handlers"
)

const (
	// MaxMessage bounds a message, in bytes. MSC4388, "Maximum payload size"; MSC4108 has the same.
	MaxMessage = 4096

	// Life is how long a mailbox is there: long enough to sign in on the way, and the longest that MSC4388 asks for,
	// "Maximum duration of a rendezvous".
	Life = 5 * time.Minute

	maxMailboxes = 1000 // when there are more the oldest goes
	maxMessages  = 100  // of one mailbox: the devices exchange about ten

	idBytes = 18

	// kind is that of mailboxes among the rows that wait.
	kind = "rendezvous"
)

// Mailboxes are the operations on them, for [handlers.OAuth].
type Mailboxes struct {
	server *handlers.Server
	base   string // the server's public URL, without a slash at its end
}

// New makes the operations of a server whose public URL is base.
func New(server *handlers.Server, base string) *Mailboxes { return &Mailboxes{server, base} }

// mailbox is one of them, as one request sees it.
type mailbox struct {
	row db.Interaction // its version says which message is there

	Data []byte    // the message
	Left time.Time // when it was left
	Sent []digest  // of all messages so far: the message of version n is at n-1
}

// version is what clients are told that a message is.
func (m *mailbox) version() string { return strconv.FormatInt(m.row.Version, 10) }

// leave puts a message in.
func (m *mailbox) leave(message []byte, now time.Time) {
	m.Data, m.Left, m.Sent = message, now, append(m.Sent, digestOf(message))
}

// digest is enough of a hash to tell the messages of one mailbox apart.
type digest string

func digestOf(message []byte) digest {
	sum := sha256.Sum256(message)
	return digest(base64.RawStdEncoding.EncodeToString(sum[:16]))
}

// create opens a mailbox with a message in it, and gives its id.
func (x *Mailboxes) create(ctx context.Context, message []byte) (string, *mailbox, error) {
	if err := x.server.CountRegistration(ctx); err != nil {
		return "", nil, err
	}
	if len(message) > MaxMessage {
		return "", nil, tooLarge()
	}
	var random [idBytes]byte
	if _, err := io.ReadFull(x.server.Random, random[:]); err != nil {
		return "", nil, err
	}
	id, now := base64.RawURLEncoding.EncodeToString(random[:]), x.server.Now()
	m := &mailbox{row: db.Interaction{Kind: kind, ID: rowOf(id), Expires: db.FromMillis(db.Millis(now.Add(Life))),
		Version: 1}}
	m.leave(message, now)
	if err := x.seal(m); err != nil {
		return "", nil, err
	}
	return id, m, x.server.DB.AddInteraction(ctx, m.row, now, maxMailboxes)
}

// rowOf is the id of a mailbox's row. Who knows the id of a mailbox may write it, so the id itself is not written down.
func rowOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return kind + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func (x *Mailboxes) seal(m *mailbox) error { return x.server.Sealer().Seal(&m.row, m) }

// open finds a mailbox.
func (x *Mailboxes) open(ctx context.Context, id string) (*mailbox, error) {
	m := new(mailbox)
	var err error
	m.row, err = x.server.DB.Interaction(ctx, rowOf(id))
	switch {
	case errors.Is(err, db.ErrNotFound), err == nil && !x.server.Now().Before(m.row.Expires):
		return nil, notFound()
	case err != nil:
		return nil, err
	}
	if !x.server.Sealer().Unseal(m.row, m, "a mailbox of devices that link each other") {
		return nil, notFound()
	}
	return m, nil
}

// errMeanwhile says that another message has come since the one that a device has seen.
var errMeanwhile = errors.New("another message has come meanwhile")

// send puts a message in the place of the one that the device has seen, and gives the mailbox as it is by then and the
// message's version. With errMeanwhile there is a mailbox, too.
func (x *Mailboxes) send(ctx context.Context, id, seen string, message []byte) (*mailbox, string, error) {
	if len(message) > MaxMessage {
		return nil, "", tooLarge()
	}
	for {
		m, err := x.open(ctx, id)
		if err != nil {
			return nil, "", err
		}
		if version, again := m.sentBefore(seen, message); again {
			return m, version, nil
		}
		if seen != m.version() {
			return m, "", errMeanwhile
		}
		if m.row.Version >= maxMessages {
			return nil, "", x.full(m)
		}
		m.leave(message, x.server.Now())
		if err := x.seal(m); err != nil {
			return nil, "", err
		}
		err = x.server.DB.SaveInteraction(ctx, m.row)
		if errors.Is(err, db.ErrConflict) {
			continue // it has another version by now, or is closed
		}
		m.row.Version++
		return m, m.version(), err
	}
}

// sentBefore reports whether a device that has seen a message has sent this one before, and as which version.
func (m *mailbox) sentBefore(seen string, message []byte) (version string, again bool) {
	n, err := strconv.Atoi(seen)
	if err != nil || n < 1 || n >= len(m.Sent) || m.Sent[n] != digestOf(message) {
		return "", false
	}
	return strconv.Itoa(n + 1), true
}

// close ends a mailbox.
func (x *Mailboxes) close(ctx context.Context, id string) error {
	m, err := x.open(ctx, id)
	if err != nil {
		return err
	}
	err = x.server.DB.EndInteraction(ctx, m.row.ID)
	if errors.Is(err, db.ErrNotFound) {
		return notFound()
	}
	return err
}

func notFound() error {
	return &handlers.Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND",
		Message: "There is no such rendezvous session, or no longer."}
}

func tooLarge() error {
	return &handlers.Error{Status: http.StatusRequestEntityTooLarge, Code: "M_TOO_LARGE",
		Message: "A message has at most 4096 bytes."}
}

func (x *Mailboxes) full(m *mailbox) error {
	return &handlers.Error{Status: http.StatusTooManyRequests, Code: "M_LIMIT_EXCEEDED",
		Message: "Too many messages. Begin anew.", RetryAfter: m.row.Expires.Sub(x.server.Now())}
}

// shown refuses to give a message to a browser that would show it as a page: anybody could put a page of theirs on this
// server's name. MSC4388, "Unsafe content"; Fetch Metadata Request Headers, section 2.2.
func shown(fetchMode *string) error {
	if fetchMode == nil || *fetchMode != "navigate" {
		return nil
	}
	return &handlers.Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Message: "This is not shown as a page."}
}
