package passwords

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sumOf is a password's line without a count.
func sumOf(password string) string { return fmt.Sprintf("%X", sha1.Sum([]byte(password))) }

// list writes a file and opens it.
func list(t testing.TB, text string) *Leaked {
	t.Helper()
	l, err := OpenLeaked(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a test may have closed it
	return l
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pwnedpasswords.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// has asks for a password.
func has(t testing.TB, l *Leaked, password string, want bool) {
	t.Helper()
	if got, err := l.Has(password); err != nil || got != want {
		t.Errorf("%q: %v, %v; want %v", password, got, err, want)
	}
}

// TestLeaked: in a list of 200,000 lines each of the passwords is found, the first and the last too, and no other; with
// lines of different length, with either end of line, with counts and without, and with a last line that has no end.
func TestLeaked(t *testing.T) {
	t.Parallel()
	const many = 200_000
	type entry struct{ sum, password string }
	entries := make([]entry, many)
	for i := range entries {
		password := fmt.Sprint("password ", i)
		entries[i] = entry{sumOf(password), password}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.sum, b.sum) })
	for name, form := range map[string]struct {
		end    string
		counts bool
		cut    bool
	}{"as downloaded": {"\r\n", true, false}, "LF": {"\n", true, false}, "no counts": {"\n", false, false},
		"the last line has no end": {"\r\n", true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			var text strings.Builder
			for i, e := range entries {
				text.WriteString(e.sum)
				if form.counts {
					fmt.Fprintf(&text, ":%d", r.Uint64()>>r.IntN(64))
				}
				if i < many-1 || !form.cut {
					text.WriteString(form.end)
				}
			}
			l := list(t, text.String())
			for i, e := range entries {
				if i < 100 || i > many-100 || i%997 == 0 {
					has(t, l, e.password, true)
				}
			}
			for i := range 300 {
				has(t, l, fmt.Sprint("another ", i), false)
			}
		})
	}
}

// TestLeakedMemory: a look-up takes a buffer and no more, whatever the file's size.
func TestLeakedMemory(t *testing.T) {
	for _, many := range []int{1, 1000, 50_000} {
		lines := make([]string, many)
		for i := range lines {
			lines[i] = sumOf(fmt.Sprint(i))
		}
		slices.Sort(lines)
		l := list(t, strings.Join(lines, "\n"))
		if n := testing.AllocsPerRun(200, func() { has(t, l, "another", false) }); n > 1 {
			t.Errorf("among %d lines a look-up allocates %v times", many, n)
		}
	}
}

// TestLeakedMap: a list holds what a map of the same passwords holds.
func TestLeakedMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.MapOfN(rapid.String(), rapid.Uint64(), 1, 300).Draw(rt, "passwords")
		var lines []string
		for password, count := range in {
			lines = append(lines, fmt.Sprint(sumOf(password), ":", count))
		}
		slices.Sort(lines)
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(rt, "end")
		l := list(t, strings.Join(lines, end)+rapid.SampledFrom([]string{"", end}).Draw(rt, "last end"))
		defer l.Close()
		for password := range maps.Keys(in) {
			has(t, l, password, true)
		}
		other := rapid.String().Draw(rt, "another")
		_, want := in[other]
		has(t, l, other, want)
	})
}

// TestLeakedRefused: a file that is no such list is refused at once, and the error says what to do.
func TestLeakedRefused(t *testing.T) {
	t.Parallel()
	var sorted, unsorted []string
	for i := range 1000 {
		unsorted = append(unsorted, sumOf(fmt.Sprint(i))+":1")
	}
	sorted = slices.Sorted(slices.Values(unsorted))
	good := strings.Join(sorted, "\r\n")
	for name, tt := range map[string]struct{ text, says string }{
		"empty":           {"", "it is empty"},
		"sorted by count": {strings.Join(unsorted, "\n"), "not sorted by hash"},
		"NTLM":            {strings.Repeat("0123456789ABCDEF0123456789ABCDEF:3\r\n", 9), "no SHA-1 hash at byte 0"},
		"something else":  {"hello\n", "no SHA-1 hash"},
		"no lines at all": {strings.Repeat("x", 5000), "no SHA-1 hash"},
		"zeros":           {string(make([]byte, 5000)), "no SHA-1 hash"},
		"cut off":         {good[:len(good)-20], "cut off"},
	} {
		_, err := OpenLeaked(write(t, tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.says) ||
			!strings.Contains(err.Error(), "haveibeenpwned-downloader pwnedpasswords --single") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := OpenLeaked(path); err == nil || !strings.Contains(err.Error(), "haveibeenpwned-downloader") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestLeakedSpoilt: a list that is cut off, overwritten or closed while it is used gives an error, and no wrong answer.
func TestLeakedSpoilt(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 1000 {
		lines = append(lines, sumOf(fmt.Sprint(i)))
	}
	slices.Sort(lines)
	path := write(t, strings.Join(lines, "\n"))
	l, err := OpenLeaked(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func() error{
		func() error { return os.WriteFile(path, bytes.Repeat([]byte("x"), int(l.size)), 0o600) },
		func() error { return os.Truncate(path, 100) },
		func() error { return os.Truncate(path, 0) },
		l.Close,
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if found, err := l.Has("none"); err == nil || found {
			t.Errorf("%v, %v", found, err)
		}
	}
}

// FuzzLeaked: whatever stands in a file, a look-up ends, and finds no password whose hash is not there.
func FuzzLeaked(f *testing.F) {
	f.Add([]byte(sumOf("a")+":1\n"), "a")
	f.Add([]byte("\n\n\n"), "")
	f.Add([]byte(strings.Repeat("0", 200)), "b")
	path := filepath.Join(f.TempDir(), "list")
	f.Fuzz(func(t *testing.T, text []byte, password string) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		l := &Leaked{file, int64(len(text))}
		if found, err := l.Has(password); err == nil && found &&
			!bytes.Contains(bytes.ToUpper(text), []byte(sumOf(password))) {
			t.Error("found")
		}
	})
}

func BenchmarkLeaked(b *testing.B) {
	var lines []string
	for i := range 200_000 {
		lines = append(lines, sumOf(fmt.Sprint(i))+":1")
	}
	slices.Sort(lines)
	l := list(b, strings.Join(lines, "\n"))
	b.ReportAllocs()
	for b.Loop() {
		has(b, l, "another", false)
	}
}
