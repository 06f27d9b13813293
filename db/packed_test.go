package db

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the cache gives is what it was given, in every field there is.
func TestPacked(t *testing.T) {
	t.Parallel()
	n := int64(0)
	s := Session{}
	each := func(v reflect.Value) {
		n++
		switch p := v.Addr().Interface().(type) {
		case *string:
			*p = string(rune('a'+n)) + "é"
		case *State:
			*p = Soft
		case *time.Time:
			*p = FromMillis(n)
		case *int64:
			*p = n
		case *bool:
			*p = true
		case *Seen:
			*p = Seen{At: FromMillis(n + 100), Addr: "addr", Agent: "agent"}
		default:
			t.Fatalf("%v: teach it to packed and to this test", v.Type())
		}
	}
	for i := range reflect.TypeFor[Session]().NumField() {
		each(reflect.ValueOf(&s).Elem().Field(i))
		for _, state := range []State{Live, Soft} { // each field with those before it, so that none stands for another
			s.State = state
			if got := pack(&s).session(); !cmp.Equal(got, s) {
				t.Fatalf("%s", cmp.Diff(s, got))
			}
		}
	}
}
