// Package passwords judges passwords that somebody chooses: how hard they are to guess, and whether they are in a list
// of leaked ones.
//
// [Score] is zxcvbn 4.4.2: it looks for words, names, common passwords, keyboard patterns, repeats, sequences and
// dates, and estimates how many guesses somebody needs who tries such things first. The estimate is that of
// github.com/trustelem/zxcvbn/scoring, a faithful port. What a password consists of is found here, because that port
// builds tables of all words when a program starts, any of this one's commands: 15 ms, and 6.4 MiB for as long as it
// runs. Here the words are unpacked from the program's own file while a password is judged, and nothing
// stays in memory.
//
// Where it differs from zxcvbn on purpose, it takes a password for easier to guess:
//
//   - One letter may be written in several ways in one word (p@ssw4rd).
//   - Years until 2049 are years.
//
// A password is judged by its first [Judged] characters, because the work grows faster than the length.
//
// # Laws
//
//   - Nothing of a password is kept or logged.
//   - The work and the memory for one password are bounded, whatever it is.
//
// What it does not do: words of other languages than English are not known to it.
package passwords

import (
	"strings"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn/match"
	"github.com/trustelem/zxcvbn/scoring"
)

// Judged is how many characters of a password are looked at.
const Judged = 72

// Score says how hard a password is to guess, from 0 (at once) to 4 (very hard). Own are words that somebody who knows
// the account tries first, such as the name of its owner.
func Score(password string, own ...string) int {
	text := bytesOf(password, Judged)
	return scoreOf(guesses(text, wordsIn(text, own)))
}

// scoreOf is the scale of zxcvbn.
func scoreOf(guesses float64) int {
	const margin = 5
	for score, most := range []float64{1e3, 1e6, 1e8, 1e10} {
		if guesses < most+margin {
			return score
		}
	}
	return 4
}

// guesses estimates how many a text takes, whose words are known.
func guesses(text string, words []*match.Match) float64 {
	all := append([]*match.Match{}, words...)
	all = append(all, keyboardRuns(text)...)
	all = append(all, repeats(text, words)...)
	all = append(all, sequences(text)...)
	all = append(all, years(text)...)
	all = append(all, dates(text)...)
	return scoring.MostGuessableMatchSequence(text, all, false).Guesses
}

// bytesOf is a text with one byte for each of its first characters. All that is looked for is ASCII. Any other
// character becomes a byte that is one character of its own for package scoring too: no UTF-8 begins with it.
func bytesOf(text string, most int) string {
	var b strings.Builder
	for _, r := range text {
		if b.Len() == most {
			break
		}
		if r >= utf8.RuneSelf {
			r = 0x80 | r&0x3f
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// found is a part of a text, from byte i up to j, of some pattern.
func found(text string, i, j int, m match.Match) *match.Match {
	m.I, m.J, m.Token = i, j-1, text[i:j]
	return &m
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func allDigits(text string) bool {
	for _, c := range []byte(text) {
		if !isDigit(c) {
			return false
		}
	}
	return text != ""
}
