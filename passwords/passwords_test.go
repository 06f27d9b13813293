package passwords

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trustelem/zxcvbn/frequency"
	"github.com/trustelem/zxcvbn/scoring"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write words.txt anew")

func TestMain(m *testing.M) {
	scoring.ReferenceYear = 2026 // when testdata/zxcvbn.json was made
	os.Exit(m.Run())
}

// TestZxcvbn: the guesses are those of the original, zxcvbn 4.4.2 in JavaScript, which wrote testdata/zxcvbn.json, or
// fewer, for the reasons that the package names; and so are the scores.
func TestZxcvbn(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/zxcvbn.json")
	var all []struct {
		Password string
		Score    int
		Guesses  float64
	}
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil || len(all) < 150 {
		t.Fatal(len(all), err)
	}
	fewer := 0
	for _, original := range all {
		text := bytesOf(original.Password, Judged)
		n := guesses(text, wordsIn(text, nil))
		if n > 1.001*original.Guesses || scoreOf(n) > original.Score {
			t.Errorf("%q takes %g guesses, score %d; want %g, %d", original.Password, n, scoreOf(n), original.Guesses,
				original.Score)
		}
		if n < .999*original.Guesses {
			fewer++
		}
	}
	if fewer > 2 {
		t.Errorf("%d of %d are easier to guess than the original says", fewer, len(all))
	}
}

// TestScore: words that belong to the account, years to come, and letters that are written in several ways.
func TestScore(t *testing.T) {
	t.Parallel()
	own := []string{"wintermute", "neuromancer.example", "@wintermute:neuromancer.example"}
	for password, most := range map[string]int{
		"": 0, "wintermute": 0, "WinterMute": 1, "w1nterm@te": 4, "@wintermute:neuromancer.example": 0,
		"neuromancer": 0, "neuromancer1": 1, "etumretniw": 1, "p@ssw4rd": 2, "p4ssw0rd2041": 2,
		"\xff\xfe\xfd": 1, "пароль": 1, strings.Repeat("long", 128): 1,
	} {
		if got := Score(password, own...); got > most {
			t.Errorf("%q has the score %d, want %d at most", password, got, most)
		}
	}
	for _, password := range []string{"correct horse battery staple", "mjPq7xTbnR2v", "vier seltene Wörter genügen"} {
		if got := Score(password, own...); got != 4 {
			t.Errorf("%q has the score %d, want 4", password, got)
		}
	}
}

// TestBounded: a password of any length is judged by its beginning, so it costs no more than that.
func TestBounded(t *testing.T) {
	for _, part := range []string{"1", "l1", "4@8({[<369!|105$+7%2", "1.1.91", "äöü"} {
		long := strings.Repeat(part, 512)
		first := string([]rune(long)[:Judged])
		if Score(long) != Score(first) {
			t.Errorf("%q: the score of the whole is another than that of its beginning", part)
		}
		short := testing.AllocsPerRun(1, func() { Score(first) })
		if n := testing.AllocsPerRun(1, func() { Score(long) }); n > 1.1*short {
			t.Errorf("%q: the whole takes %v allocations, its beginning %v", part, n, short)
		}
		text := bytesOf(long, Judged)
		if n := len(wordsIn(text, nil)); n > 40*Judged {
			t.Errorf("%q: %d words are found", part, n)
		}
	}
}

// TestAnyPassword: whatever is typed has a score, and to know more of the account never makes a
// password harder to guess.
func TestAnyPassword(t *testing.T) {
	t.Parallel()
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-d14@!|. ]{0,80}`), rapid.StringN(0, 700, -1))
	rapid.Check(t, func(t *rapid.T) {
		password, own := texts.Draw(t, "password"), rapid.SliceOfN(texts, 0, 3).Draw(t, "own")
		if score, knowing := Score(password), Score(password, own...); knowing < 0 || score < knowing || score > 4 {
			t.Errorf("%d, and %d when one knows %q", score, knowing, own)
		}
	})
}

// TestWords: the words are those of zxcvbn.
func TestWords(t *testing.T) {
	t.Parallel()
	best := make(map[string]int)
	for _, list := range frequency.FrequencyLists {
		for i, word := range list {
			if now, has := best[word]; !has || i < now {
				best[word] = i
			}
		}
	}
	var lines [][]string
	for word, i := range best {
		for len(lines) <= i {
			lines = append(lines, nil)
		}
		lines[i] = append(lines[i], word)
	}
	var text strings.Builder
	for _, line := range lines {
		slices.Sort(line)
		text.WriteString(strings.Join(line, " ") + "\n")
	}
	if *update {
		if err := os.WriteFile("words.txt", []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text.String() != ranked {
		t.Error("words.txt is not made from the lists; go test ./passwords -run TestWords -update writes it")
	}
}

func BenchmarkScore(b *testing.B) {
	for name, password := range map[string]string{"12 characters": "mjPq7xTbnR2v",
		"72, letters written in other ways": strings.Repeat("4@8({[<369!|105$+7%2", 4)[:Judged],
		"512, the same":                     strings.Repeat("4@8({[<369!|105$+7%2", 26)[:512], "512 ones": strings.Repeat("1", 512)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Score(password, "alice", "example.org")
			}
		})
	}
}
