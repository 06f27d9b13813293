package console

import "testing"

// TestFits: the comparison must be able to fail.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want, printed string
		fits          bool
	}{
		{"", "", true},
		{"", "an error\n", false},
		{"one\n", "one\n", true},
		{"one\n", "one\ntwo\n", false},
		{"one…\n", "one two\n", true},
		{"one…\n", "one\ntwo\n", false},
		{"…\ntwo\n", "zero\none\ntwo\n", true},
		{"…\ntwo\n", "two\n", true},
		{"…\ntwo\n…\n", "two\nthree\n", true},
		{"…\ntwo\n", "one\n", false},
		{"a.c\n", "abc\n", false},
	} {
		if got := (Step{Want: c.want}).Fits(c.printed); got != c.fits {
			t.Errorf("%q fits %q: %v", c.printed, c.want, got)
		}
	}
}
