package importer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func csvFile(t testing.TB, text string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.CSV")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config(path)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	account := func(localpart string, created time.Time) Account {
		return Account{Name: "@" + localpart + ":example.org", Localpart: localpart, Hash: byDendrite, Created: created}
	}
	gone, none, other, twice, odd := account("e", time.Time{}), account("f", time.Time{}), account("g", time.Time{}),
		account("a", time.Time{}), account("", time.Time{})
	gone.Deactivated = true
	none.Hash = ""
	other.Name, other.Skip = "@g:elsewhere.org", "another server's user"
	twice.Skip, odd.Skip = "is listed twice", "is not a user id"
	c := csvFile(t, "\ufeffCreated, user,password_hash,deactivated\r\n"+
		"2026-11-24T13:00:00+01:00,a,"+byDendrite+",\r\n"+
		"1795521600,@b:example.org,"+byDendrite+",no\n"+
		"1795521600000,C,"+byDendrite+",false\n"+
		"2026-11-24,\"d, \"\"x\"\"\","+byDendrite+",0\n\n"+
		",e,"+byDendrite+",TRUE\n"+
		",f,,\n"+
		",@g:elsewhere.org,"+byDendrite+",\n"+
		",a,"+byDendrite+",\n"+
		",,"+byDendrite+",\n")
	contents, err := Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	got := contents.Accounts
	wanted := []Account{account("a", noon), account("b", noon), account("C", noon),
		account(`d, "x"`, noon.Add(-12*time.Hour)), gone, none, other, twice, odd}
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) || !cmp.Equal(got[i], wanted[i]) {
			t.Fatalf("account %d: got %+v\nwant %+v", i, got, wanted)
		}
	}
}

func TestCSVErrors(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"":                                       "the first line must name the columns: user,password_hash",
		"user\n":                                 "the first line must name the columns",
		"alice,$2b$12$abc\n":                     `known are user, password_hash, created, deactivated`,
		"user,password_hash\nalice\n":            "wrong number of fields",
		"user,password_hash\n\"alice,x\n":        "line",
		"user,password_hash,created\na,,soon\n":  `line 2: created is "soon"`,
		"user,password_hash,created\na,,-5\n":    `line 2: created is "-5"`,
		"user,password_hash,deactivated\na,,x\n": `line 2: deactivated is "x"`,
	} {
		_, err := Read(t.Context(), csvFile(t, text))
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want %q", text, err, words)
		}
	}
}

// FuzzCSV: whatever is in the file, it is read or refused, and nothing that moves has an impossible name.
func FuzzCSV(f *testing.F) {
	f.Add("user,password_hash\nalice," + byDendrite)
	f.Add("user,password_hash,created,deactivated\n@a:example.org,,1,true")
	f.Add("\ufeffuser,password_hash\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := config("")
		records, err := c.lines(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range records {
			if a := c.account(r); a.Skip == "" &&
				(a.Localpart == "" || strings.Contains(a.Localpart, ":") || len(a.Name) > 255) {
				t.Errorf("%+v moves", a)
			}
		}
	})
}
