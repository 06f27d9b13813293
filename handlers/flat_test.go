package handlers

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFlatObject(t *testing.T) {
	for text, want := range map[string]map[string]any{
		`{"refresh_token":"abc"}`:                         {"refresh_token": "abc"},
		" {\r\n\t\"a\" : \"ü\" , \"b\":\"\",\"\":\":\"} ": {"a": "ü", "b": "", "": ":"},
		`{"a":"1","a":"2"}`:                               {"a": "2"},
		`{}`:                                              nil,
		``:                                                nil,
		`{"a":1}`:                                         nil,
		`{"a":null}`:                                      nil,
		`{"a":{"b":"c"}}`:                                 nil,
		`["a"]`:                                           nil,
		`{"a":"\u0041"}`:                                  nil,
		"{\"a\":\"\n\"}":                                  nil,
		`{"a":"b",}`:                                      nil,
		`{"a":"b"}}`:                                      nil,
		`{"a":"b"} x`:                                     nil,
		`{"a":"b"`:                                        nil,
		`{"a":"b`:                                         nil,
		`{"a" "b"}`:                                       nil,
		`{,"a":"b"}`:                                      nil,
		"\v{\"a\":\"b\"}":                                 nil,
	} {
		got, ok := flatObject([]byte(text))
		if ok != (want != nil) || ok && !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

// FuzzFlatObject holds it against encoding/json: what it reads at all, it reads the same.
func FuzzFlatObject(f *testing.F) {
	for _, seed := range []string{`{"refresh_token":"abc"}`, `{"a":"b","a":"c"}`, ` { "a" : "b" } `, `{"a":"\""}`,
		`{"a":"b"}{}`, "{\"a\":\"\x7f\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := flatObject(raw)
		if !ok || !utf8.Valid(raw) {
			return
		}
		var want any
		if err := json.Unmarshal(raw, &want); err != nil || !cmp.Equal(any(got), want) {
			t.Errorf("%q: got %v, encoding/json %v, %v", raw, got, want, err)
		}
	})
}
