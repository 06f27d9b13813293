package amend

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestObject(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{`{}`, `{"x":1}`},
		{` { } `, `{"x":1}`},
		{`{"auth":{}}`, `{"x":1}`},
		{`{"a":1,"auth":{"a":[1,2,"}"]},"b": 2}`, `{"a":1,"b": 2,"x":1}`},
		{"{\n\t\"\\u0061uth\" : null ,\n\t\"a\"\t: [ 1 ] \n}", "{\"a\"\t: [ 1 ],\"x\":1}"},
		{`{"auth":1,"a":1e400,"auth":2,"a":-0.0}`, `{"a":1e400,"a":-0.0,"x":1}`},
		{`{"a":"\ud800\/","Auth":1}`, `{"a":"\ud800\/","Auth":1,"x":1}`},
	} {
		o, err := ParseObject([]byte(test[0]))
		if err != nil {
			t.Errorf("%s: %v", test[0], err)
		} else if got := string(o.Without([]string{"auth"}, `"x":1`)); got != test[1] {
			t.Errorf("%s becomes %s, want %s", test[0], got, test[1])
		}
	}
}

// FuzzObject: taking a member out leaves the others what they were, in any parser.
func FuzzObject(f *testing.F) {
	f.Add(`{"a":1,"auth":{"a":[1,2,"}"]},"b": 2}`)
	f.Add(`{"\u0061uth" : null , "a": "\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseObject([]byte(text))
		if err != nil {
			return
		}
		var before, after map[string]any
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return // a number that is too large for Go is not for others
		}
		if err := json.Unmarshal(o.Without([]string{"auth"}), &after); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if delete(before, "auth"); !reflect.DeepEqual(before, after) {
			t.Errorf("%q becomes %q", text, o.Without([]string{"auth"}))
		}
	})
}
