package requests

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// TestHideJSON: what is valid stays valid and keeps its shape, and no string below a secret's name stays.
func TestHideJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `[]`, `{"a":[1,{"token":{"b":["c",2,null]}},"d"],"e":{}}`, `[[],[[]],{"a":{}}]`,
		`{"a":1e400,"b":-0,"c":"\ud800\"<"}`, `{"token":"x","token":"y","b":"z"}`, " [1, 2]\n"} {
		keepsShape(t, text)
	}
	for _, text := range []string{`{"a"`, `[1,`, `{"a":}`, `{"a" "b"}`, "[\"a\nb\"]", `]`, `{"a":1]`} {
		if out, whole := hideJSON([]byte(text)); whole {
			t.Errorf("%s is whole: %s", text, out)
		}
	}
	rapid.Check(t, func(t *rapid.T) { keepsShape(t, string(encode(anyJSON(t, 4)))) })
}

func keepsShape(t rapid.TB, text string) {
	out, whole := hideJSON([]byte(text))
	var before, after any
	if !whole || read(text, &before) != nil || read(out, &after) != nil {
		t.Fatalf("%s becomes %s, %v", text, out, whole)
	}
	if want := masked(before, false); !reflect.DeepEqual(after, want) {
		t.Fatalf("%s becomes %s: %v, want %v", text, out, after, want)
	}
}

// anyJSON makes a value up to a depth.
func anyJSON(t *rapid.T, depth int) any {
	kinds := 4
	if depth == 0 {
		kinds = 2
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.String().Draw(t, "text")
	case 1:
		return rapid.SampledFrom([]any{1, -2.5, true, nil}).Draw(t, "scalar")
	case 2:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = anyJSON(t, depth-1)
		}
		return list
	}
	object := make(map[string]any)
	for range rapid.IntRange(0, 3).Draw(t, "size") {
		name := rapid.SampledFrom([]string{"token", "a", "new_password", "b"}).Draw(t, "name")
		object[name] = anyJSON(t, depth-1)
	}
	return object
}

func read(text string, to *any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(to)
}

// masked is a value with its secrets hidden, made in another way: from the decoded value.
func masked(value any, hide bool) any {
	switch value := value.(type) {
	case map[string]any:
		all := make(map[string]any, len(value))
		for name, one := range value {
			all[scrub(name)] = masked(one, hide || secret(name))
		}
		return all
	case []any:
		all := make([]any, len(value))
		for i, one := range value {
			all[i] = masked(one, hide)
		}
		return all
	case string:
		if hide && value != "" {
			return hidden
		}
		return scrub(value)
	case json.Number:
		if hide {
			return hidden
		}
	}
	return value
}

// TestRecordingEnds: a recording that can go on no longer says so once, and what is there stays whole.
func TestRecordingEnds(t *testing.T) {
	t.Parallel()
	file := &memory{}
	r := recorder{to: file}
	for _, err := range []error{r.begin(), r.add([]byte(`{"a":1}`)), r.add([]byte(`{"a":2}`))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	at := r.at
	r.at = maxRecord - 10
	if err := r.add([]byte(`{"a":3,"b":4}`)); err != errRecordFull {
		t.Errorf("a full recording: %v", err)
	}
	r.at = at
	if err := r.add([]byte(`{"a":5}`)); err != nil {
		t.Errorf("after it is full: %v", err)
	}
	var a archive
	if err := json.Unmarshal(file.text, &a); err != nil || len(a.Log.Entries) != 2 {
		t.Errorf("the file is %s: %v", file.text, err)
	}
}

// TestFullDisk: of an entry that the disk has no room for nothing stays, and the recording is whole.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	file := &memory{room: 400}
	r := recorder{to: file}
	if err := errors.Join(r.begin(), r.add([]byte(`{"a":1}`))); err != nil {
		t.Fatal(err)
	}
	if err := r.add([]byte(`{"a":"` + strings.Repeat("a", 400) + `"}`)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	var a archive
	if err := json.Unmarshal(file.text, &a); err != nil || len(a.Log.Entries) != 1 {
		t.Errorf("the file is %s: %v", file.text, err)
	}
}

// memory is a file in memory.
type memory struct {
	text []byte
	room int // how long it may become; 0 is without end
}

func (m *memory) WriteAt(p []byte, at int64) (n int, err error) {
	if n = len(p); m.room > 0 && int(at)+n > m.room {
		n, err = m.room-int(at), syscall.ENOSPC
	}
	m.text = append(m.text[:at:at], append(slices.Clone(p[:n]), m.text[min(len(m.text), int(at)+n):]...)...)
	return n, err
}

func (m *memory) Truncate(size int64) error {
	m.text = m.text[:size]
	return nil
}

func (m *memory) Close() error { return nil }
