package handlers

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"postern/test/rig/matrixtest"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests and then the check that nothing in the contract was left out: an operation or a
// status code that is documented but never exercised fails the suite. A run of selected tests can't tell.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.steps", "60"); err != nil { // long enough for a day with several mishaps
		panic(err)
	}
	code := matrixtest.Exercised(m.Run(), false)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// TestPublicList compares the operations that pass without a token with `security` in the contract.
func TestPublicList(t *testing.T) {
	t.Parallel()
	c, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, op := range c.operations {
		name := op.goName()
		known[name] = true
		if public[name] == op.secured {
			t.Errorf("%s: public is %v in auth.go, but security is asked for: %v in the contract", op.id, public[name],
				op.secured)
		}
		if !op.secured && expiredMay[name] {
			t.Errorf("%s: expiredMay means nothing for a public operation", op.id)
		}
	}
	if want := map[string]bool{"Logout": true, "LogoutAll": true}; !maps.Equal(expiredMay, want) {
		t.Errorf("with an expired token one may %v, want %v", expiredMay, want)
	}
	for _, list := range []map[string]bool{public, expiredMay} {
		for name := range list {
			if !known[name] {
				t.Errorf("auth.go names %s, which is not in the contract", name)
			}
		}
	}
}
