// Package requests keeps the spec lab's request log: what clients asked, what they were answered, and by whom.
//
// A [Log] is a handler in front of the mock server. Of each request it prints a line, keeps the last hundred for the
// page, and writes all of them to a file if it is given one. Both are HTTP Archives (HAR 1.2), which browsers and other
// tools read.
//
// # Laws
//
//   - Secrets are hidden before anything is kept: by the names of headers, of parameters and of fields at any depth,
//     and by what tokens look like wherever they stand. A body that is neither JSON nor a form is not shown; of one
//     that is cut or malformed only what could be read is.
//   - Memory is bounded: a hundred entries, of each body 16 KiB, of the calls that the spec does not have 500.
//   - Bodies pass through as they come, and an answer is not held back: an entry is made when the answer has ended. It
//     is printed and recorded then, one entry at a time: a console that stands still, such as a paused terminal, holds
//     up the ends of all requests.
//
// What it does not hide is what people write: names, addresses, messages. A recording is for a workbench.
//
//	log := requests.New(requests.Config{Out: os.Stdout, Now: time.Now})
//	http.ListenAndServe("127.0.0.1:8008", log.Handler(mockServer))
//
// # The files
//
// exchange.go follows one request, secrets.go and json.go hide what is secret, har.go writes the entry, record.go the
// file. calls.go counts the calls that a spec does not have; read.go finds them in a file.
package requests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxEntries = 100
	maxBody    = 16 << 10
)

// Config is what a log needs.
type Config struct {
	Out    io.Writer // gets a line about each request; may be nil
	Record File      // an empty one that gets all requests; may be nil
	Now    func() time.Time
}

// File is what a log is recorded in.
type File interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
}

// Log is the requests of a running server.
type Log struct {
	config Config

	lock    sync.Mutex
	last    int   // the number of the last entry
	entries []raw // the last hundred
	missing Calls
	record  recorder
}

// raw is an entry as it is sent.
type raw struct {
	number int
	json   json.RawMessage
}

// New makes a log. The file is a whole archive from the beginning, and after each request.
func New(c Config) (*Log, error) {
	l := &Log{config: c, record: recorder{to: c.Record}}
	return l, l.record.begin()
}

// Note is what the mock server finds out about a request.
type Note struct {
	Operation string // its id; "" is none that the spec has
	Violation string // what of the spec the request violates
}

type noteKey struct{}

// NoteOf gives the note of a request, to be filled in. A request that is not logged has one that nobody reads.
func NoteOf(ctx context.Context) *Note {
	if note, logged := ctx.Value(noteKey{}).(*Note); logged {
		return note
	}
	return new(Note)
}

// Handler answers as next does, and logs it.
func (l *Log) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{began: l.config.Now(), url: *r.URL, request: r, answer: answer{ResponseWriter: w}}
		r = r.WithContext(context.WithValue(r.Context(), noteKey{}, &x.note))
		x.body.ReadCloser = r.Body
		r.Body = &x.body
		defer func() { l.add(x) }() // also when the answer was cut off by a panic
		next.ServeHTTP(&x.answer, r)
		x.ended = true
	})
}

// add keeps what has ended, and prints it.
func (l *Log) add(x *exchange) {
	x.took = l.config.Now().Sub(x.began)
	made := x.entry()
	l.lock.Lock()
	defer l.lock.Unlock()
	l.last++
	made.Postern.Number = l.last
	text := encode(made)
	if len(l.entries) == maxEntries {
		copy(l.entries, l.entries[1:])
		l.entries = l.entries[:maxEntries-1]
	}
	l.entries = append(l.entries, raw{l.last, text})
	if x.note.Operation == "" && !x.preflight() {
		l.missing.Add(x.request.Method, x.url.EscapedPath(), made.Response.Status)
	}
	if l.config.Out != nil {
		fmt.Fprintln(l.config.Out, x.line(&made))
	}
	if err := l.record.add(text); err != nil && l.config.Out != nil {
		fmt.Fprintf(l.config.Out, "request: not recorded: %v\n", err)
	}
}

// line is what the console says.
func (x *exchange) line(e *entry) string {
	parts := []string{"request: " + e.Request.Method + " " + line(x.url.EscapedPath()),
		e.Postern.Operation, e.Postern.By, strconv.Itoa(e.Response.Status)}
	if e.Response.Status == 0 {
		parts[3] = "no answer"
	}
	switch {
	case x.preflight() && e.Postern.Operation == "":
		parts[1] = "preflight"
	case e.Postern.Operation == "":
		parts[1] = "not in the spec"
	}
	if e.Postern.Violation != "" {
		parts = append(parts, "violated: "+e.Postern.Violation)
	} else if e.Postern.Error != "" {
		parts = append(parts, e.Postern.Error)
	}
	return strings.Join(parts, "  ")
}

// Archive is the entries that came after one, as a HAR 1.2. Its _postern holds the number of the last entry and the
// calls that the spec does not have.
func (l *Log) Archive(after int) []byte {
	return encode(l.archive(after)) // megabytes, perhaps: requests do not wait for it
}

func (l *Log) archive(after int) archive {
	l.lock.Lock()
	defer l.lock.Unlock()
	a := newArchive()
	a.Log.Postern = &state{Last: l.last, Missing: l.missing.List()}
	for _, one := range l.entries {
		if one.number > after {
			a.Log.Entries = append(a.Log.Entries, one.json)
		}
	}
	return a
}

// Close ends the recording, and prints which calls the spec does not have.
func (l *Log) Close() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.config.Out != nil {
		fmt.Fprint(l.config.Out, l.missing.Summary())
	}
	if err := l.record.close(); err != nil && l.config.Out != nil {
		fmt.Fprintf(l.config.Out, "request: the recording may not be whole: %v\n", err)
	}
}
