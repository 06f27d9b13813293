package passwords

import (
	"strings"

	"github.com/trustelem/zxcvbn/adjacency"
	"github.com/trustelem/zxcvbn/match"
)

// keyboards are those on which people draw patterns, and which of their keys need shift.
var keyboards = map[string]string{"qwerty": shifted, "dvorak": shifted, "keypad": "", "mac_keypad": ""}

const shifted = `~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"ZXCVBNM<>?`

// keyboardRuns finds three keys and more that lie side by side, one after another.
func keyboardRuns(text string) (all []*match.Match) {
	for name, shifted := range keyboards {
		keys := adjacency.Graphs[name].Graph
		for i := 0; i < len(text); {
			m, j := keyboardRun(keys, shifted, text, i)
			if j-i > 2 {
				m.Graph = name
				all = append(all, found(text, i, j, m))
			}
			i = j
		}
	}
	return all
}

// keyboardRun follows the keys from byte i on, up to j.
func keyboardRun(keys map[string][]string, shifted, text string, i int) (m match.Match, j int) {
	m.Pattern = "spatial"
	if strings.IndexByte(shifted, text[i]) >= 0 {
		m.ShiftedCount = 1
	}
	last := -1
	for j = i + 1; j < len(text); j++ {
		direction, place := -1, -1
		for k, key := range keys[text[j-1:j]] {
			if place = strings.IndexByte(key, text[j]); place >= 0 {
				direction = k
				break
			}
		}
		if direction < 0 {
			break
		}
		if place == 1 { // with shift
			m.ShiftedCount++
		}
		if direction != last {
			m.Turns++
			last = direction
		}
	}
	return m, j
}

// repeats finds parts that follow one another two times or more. One begins where the last one has ended.
func repeats(text string, words []*match.Match) (all []*match.Match) {
	for i := 0; i < len(text); {
		base, times := repeatAt(text[i:])
		if times < 2 {
			i++
			continue
		}
		part := text[i : i+base]
		all = append(all, found(text, i, i+base*times, match.Match{Pattern: "repeat", BaseToken: part,
			BaseGuesses: guesses(part, within(words, i, i+base)), RepeatCount: times}))
		i += base * times
	}
	return all
}

// repeatAt finds the longest stretch of repeats at the beginning of a text: how long what is repeated is, and how often
// it stands there.
func repeatAt(text string) (base, times int) {
	for length := 1; length <= len(text)/2; length++ {
		n := 1
		for strings.HasPrefix(text[n*length:], text[:length]) {
			n++
		}
		if n > 1 && n*length > base*times {
			base, times = length, n
		}
	}
	return base, times
}

// sequences finds characters that follow one another at the same distance, of five at most.
func sequences(text string) (all []*match.Match) {
	const furthest = 5
	for i, k := 0, 1; k < len(text); k++ {
		step := int(text[k]) - int(text[k-1])
		if k+1 < len(text) && int(text[k+1])-int(text[k]) == step {
			continue
		}
		length, far := k+1-i, max(step, -step)
		if 0 < far && far <= furthest && (length > 2 || far == 1) {
			all = append(all, found(text, i, k+1, match.Match{Pattern: "sequence", Ascending: step > 0}))
		}
		i = k
	}
	return all
}
