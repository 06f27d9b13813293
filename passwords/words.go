package passwords

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"github.com/trustelem/zxcvbn/match"
)

// ranked are the words of zxcvbn's lists: common passwords, English words of Wikipedia and of films, names of people in
// the United States. Line n holds those of rank n, the n most common of their list.
//
//go:embed words.txt
var ranked string

// letters are what people write instead of a letter, and the letters that it may stand for.
var letters = [256]string{'4': "a", '@': "a", '8': "b", '(': "c", '{': "c", '[': "c", '<': "c", '3': "e", '6': "g",
	'9': "g", '1': "il", '!': "i", '|': "il", '7': "lt", '0': "o", '$': "s", '5': "s", '+': "t", '%': "x", '2': "z"}

// wordsIn finds the words that a text contains, also backwards or with other characters in place of letters. It reads
// all words once and holds each against the places where its first letter may stand.
func wordsIn(text string, own []string) []*match.Match {
	lower := lowered(text)
	forwards, backwards := newReading(text, lower, false), newReading(text, lower, true)
	look := func(word string, rank int) {
		if len(forwards.starts[word[0]]) > 0 { // else there is none backwards either
			forwards.look(word, rank)
			backwards.look(word, rank)
		}
	}
	for i, word := range ownWords(own) {
		look(word, i+1)
	}
	for rank, i, begin := 1, 0, 0; i < len(ranked); i++ { // a quarter of the time of package strings' iterators
		c := ranked[i]
		if c > ' ' {
			continue
		}
		if word := ranked[begin:i]; word != "" {
			look(word, rank)
		}
		if begin = i + 1; c == '\n' {
			rank++
		}
	}
	return append(forwards.found, backwards.found...)
}

// ownWords are the words that belong to the account, and their parts: of @alice:matrix.example.org alice and
// matrix.example.org, and then matrix and example.
func ownWords(own []string) (words []string) {
	for _, word := range own {
		word = lowered(bytesOf(word, Judged))
		for _, between := range []string{"", "@:", "@:._-=/+"} {
			parts := strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(between, r) })
			for _, part := range parts {
				if len(part) > 2 && !slices.Contains(words, part) {
					words = append(words, part)
				}
			}
		}
	}
	return words
}

// lowered is a text in lower case. Package strings would replace bytes that are no UTF-8.
func lowered(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// reading is a text as it is read: forwards, where other characters may stand for letters, or backwards.
type reading struct {
	text, lower string
	backwards   bool
	starts      [256][]int // where a word may begin, by its first letter
	found       []*match.Match
}

func newReading(text, lower string, backwards bool) *reading {
	r := &reading{text: text, lower: lower, backwards: backwards}
	if backwards {
		r.lower = reversed(lower)
	}
	for i, c := range []byte(r.lower) {
		r.starts[c] = append(r.starts[c], i)
		if !backwards {
			for _, letter := range []byte(letters[c]) {
				r.starts[letter] = append(r.starts[letter], i)
			}
		}
	}
	return r
}

func reversed(text string) string {
	b := []byte(text)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// look notes the places of a word.
func (r *reading) look(word string, rank int) {
	for _, i := range r.starts[word[0]] {
		j := i + len(word)
		if j > len(r.lower) {
			continue
		}
		if !r.may(r.lower[i:j], word) {
			continue
		}
		sub, same := instead(r.lower[i:j], word)
		if !same {
			continue
		}
		m := match.Match{Pattern: "dictionary", MatchedWord: word, Rank: rank, Reversed: r.backwards, Sub: sub,
			L33t: len(sub) > 0}
		if r.backwards {
			i, j = len(r.text)-j, len(r.text)-i
		}
		if len(word) > 1 || !m.L33t { // a digit alone is no letter
			r.found = append(r.found, found(r.text, i, j, m))
		}
	}
}

// may reports whether a part of the text may be read as a word. It decides for nearly all words, so it must be fast.
func (r *reading) may(part, word string) bool {
	for k := range len(word) {
		if part[k] != word[k] && (r.backwards || strings.IndexByte(letters[part[k]], word[k]) < 0) {
			return false
		}
	}
	return true
}

// instead is what stands in a part of the text in place of letters of a word. It is read as the word if each character
// stands for the same letter wherever it does.
func instead(part, word string) (sub map[string]string, same bool) {
	sub = make(map[string]string)
	as := make(map[byte]byte)
	for k := range len(word) {
		c, letter := part[k], word[k]
		if known, has := as[c]; has && known != letter {
			return nil, false
		}
		if as[c] = letter; c != letter {
			sub[string(c)] = string(letter)
		}
	}
	return sub, true
}

// within are the words of a part of the text, from byte i up to j, as those of that part alone.
func within(words []*match.Match, i, j int) (some []*match.Match) {
	for _, w := range words {
		if i <= w.I && w.J < j {
			part := *w
			part.I, part.J, part.Sub, part.Guesses = w.I-i, w.J-i, maps.Clone(w.Sub), 0
			some = append(some, &part)
		}
	}
	return some
}
