package dbtest_test

import (
	"testing"

	"postern/db/dbtest"
)

func TestOpenTwice(t *testing.T) {
	path := dbtest.DSN(t)
	one, two := dbtest.Open(t, path), dbtest.Open(t, path)
	if err := one.SetSetting(t.Context(), "name", "value"); err != nil {
		t.Fatal(err)
	}
	if v, err := two.Setting(t.Context(), "name"); v != "value" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
}
