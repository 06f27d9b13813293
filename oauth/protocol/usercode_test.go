package protocol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestUserCode(t *testing.T) {
	t.Parallel()
	letters := make(map[byte]int)
	for range 1000 {
		code, err := NewUserCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		shown := code.String()
		if len(shown) != 9 || shown[4] != '-' || strings.ContainsAny(shown, "AEIOUY01258") {
			t.Fatalf("a code is shown as %q", shown)
		}
		for i := range len(code) {
			letters[code[i]]++
		}
		for _, typed := range []string{shown, string(code), strings.ToLower(shown), " " + shown[:3] + " " + shown[3:],
			strings.ReplaceAll(shown, "-", "\u2013"), strings.ReplaceAll(shown, "-", "\u00a0"), shown + "\n"} {
			if got, ok := ParseUserCode(typed); !ok || got != code {
				t.Fatalf("%q is read as %q, %v", typed, got, ok)
			}
		}
	}
	if len(letters) != len(userCodeLetters) {
		t.Errorf("%d letters are used: %v", len(letters), letters)
	}
	for _, typed := range []string{"", "BCDF", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF_GHJK", "ВCDF-GHJK"} {
		if code, ok := ParseUserCode(typed); ok {
			t.Errorf("%q is read as %q", typed, code)
		}
	}
	// A byte that would favour some letters is left out.
	if code, err := NewUserCode(bytes.NewReader([]byte{255, 0, 240, 1, 2, 3, 20, 5, 6, 239})); err != nil ||
		code != "BCDFBHJZ" {
		t.Errorf("the code is %q, %v", code, err)
	}
	if _, err := NewUserCode(strings.NewReader("abc")); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
}

// FuzzUserCode: what is read as a code is one, and is read again from how it is shown.
func FuzzUserCode(f *testing.F) {
	for _, typed := range []string{"BCDF-GHJK", "bcdf ghjk", "bcdf\u2013ghjk\u00a0", "ſtvw-xzbc", "\xff\x00-", ""} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := ParseUserCode(typed)
		if !ok {
			_ = code.String()
			return
		}
		if again, ok := ParseUserCode(code.String()); !ok || again != code || len(code) != userCodeLength {
			t.Errorf("%q is read as %q and then as %q", typed, code, again)
		}
	})
}
