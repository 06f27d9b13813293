package requests_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/speclab/requests"
)

// TestMissing: calls that the spec does not have are counted under one name for all ids, at the end and on the page.
func TestMissing(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			requests.NoteOf(r.Context()).Operation = "known"
			return
		}
		http.NotFound(w, r)
	})
	for _, path := range []string{"/known", "/rooms/!abc:example.org/send/m.room.message/m1700000000.1",
		"/rooms/%21abd%3Aexample.org/send/m.room.message/m1700000000.2", "/keys/12", "/v3/pushrules/"} {
		l.send("GET", path, "", nil)
	}
	l.send("OPTIONS", "/keys/13", "", map[string]string{"Access-Control-Request-Method": "PUT"})
	want := `3 operations were called that the spec does not have:
  GET /keys/{}  once, answered 404
  GET /rooms/{}/send/m.room.message/{}  2 times, answered 404
  GET /v3/pushrules/  once, answered 404
`
	if got := l.read(0).Log.Postern.Missing; len(got) != 3 || got[1].Count != 2 || got[1].Statuses[0] != 404 {
		t.Errorf("the page gets %+v", got)
	}
	l.log.Close()
	if got := l.out.String(); !strings.HasSuffix(got, want) {
		t.Errorf("it ends with\n%swant\n%s", got, want)
	}
	_, text := l.recorded()
	missing, total, err := requests.Missing(strings.NewReader(text),
		func(_, path string) bool { return path == "/known" })
	if err != nil || total != 5 || missing.Summary() != want {
		t.Errorf("of %d requests in the file: %v\n%s", total, err, missing.Summary())
	}
}

// TestMissingIsBounded: a stranger who makes up paths does not fill the memory.
func TestMissingIsBounded(t *testing.T) {
	t.Parallel()
	var calls requests.Calls
	for i := range 1000 {
		calls.Add("GET", fmt.Sprintf("/x%dx/", i)+strings.Repeat("y", 10_000), 404)
	}
	if got := len(calls.Summary()); got > 200_000 {
		t.Errorf("their names have %d bytes", got)
	}
	if got := len(calls.List()); got != 500 || !strings.HasSuffix(calls.Summary(), "500 are all that are counted\n") {
		t.Errorf("%d calls are counted", got)
	}
}

// TestNoArchive: what is no HAR is refused, with the reason.
func TestNoArchive(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":               "not an HTTP Archive (HAR): EOF",
		"<html>":         "not an HTTP Archive (HAR): invalid character",
		`{"entries":[]}`: "there is no log in it",
		`{"log":{"entries":[{"request":{"method":"GET","url":":"}}]}}`: "entry 1 has no address",
	} {
		if _, _, err := requests.Missing(strings.NewReader(text), nil); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
