package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/db/dbtest"
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

// TestCSVEmails: an account comes with the addresses that its line has, which count as confirmed. One that another
// account has stays that one's, which the result says, also of the same file.
func TestCSVEmails(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	contents, err := Read(t.Context(), csvFile(t, "user,email,password_hash\nalice,Alice@Example.org  a@example.org,\n"+
		"bob,,\ncarol,a@example.org,\n"))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Import(t.Context(), d, contents, Options{Now: second(3), Progress: func(int, int) {}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"alice": {"a@example.org 03 03", "alice@example.org 03 03"}, "bob": nil,
		"carol": nil} {
		if got := addresses(t, d, name); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	without := Outcome{"@carol:example.org", "without", "the address a@example.org, which another account has here"}
	if !slices.Contains(result.Notable, without) {
		t.Errorf("the result says %v", result.Notable)
	}
}

func TestCSVErrors(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"":                                       "the first line must name the columns: user,password_hash",
		"user\n":                                 "the first line must name the columns",
		"alice,$2b$12$abc\n":                     `known are user, password_hash, created, deactivated, email`,
		"user,password_hash\nalice\n":            "wrong number of fields",
		"user,password_hash\n\"alice,x\n":        "line",
		"user,password_hash,created\na,,soon\n":  `line 2: created is "soon"`,
		"user,password_hash,created\na,,-5\n":    `line 2: created is "-5"`,
		"user,password_hash,deactivated\na,,x\n": `line 2: deactivated is "x"`,
		"user,password_hash,email\na,,a@x b\n":   `line 2: email is "b": it is not a mail address`,
		"user,password_hash,email\na,," + strings.Repeat("a@example.org ", db.MaxEmails+1): "line 2: email has more than 10",
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
