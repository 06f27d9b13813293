package passwords

import (
	"strconv"
	"strings"

	"github.com/trustelem/zxcvbn/match"
	"github.com/trustelem/zxcvbn/scoring"
)

// years finds years in which people who choose a password were born, married, or live.
func years(text string) (all []*match.Match) {
	const digits = 4
	for i := 0; i+digits <= len(text); i++ {
		part := text[i : i+digits]
		if year, err := strconv.Atoi(part); err == nil && allDigits(part) && 1900 <= year && year < 2050 {
			all = append(all, found(text, i, i+digits, match.Match{Pattern: "regex", RegexName: "recent_year"}))
		}
	}
	return all
}

// splits are where a date without separators may be divided, by its length.
var splits = map[int][][2]int{
	4: {{1, 2}, {2, 3}},                 // 1 1 91, 91 1 1
	5: {{1, 3}, {2, 3}},                 // 1 11 91, 11 1 91
	6: {{1, 2}, {2, 4}, {4, 5}},         // 1 1 1991, 11 11 91, 1991 1 1
	7: {{1, 3}, {2, 3}, {4, 5}, {4, 6}}, // 1 11 1991, 11 1 1991, 1991 1 11, 1991 11 1
	8: {{2, 4}, {4, 6}},                 // 11 11 1991, 1991 11 11
}

// dates finds dates, but those that are part of a longer one.
func dates(text string) []*match.Match {
	var all, outer []*match.Match
	for i := range len(text) {
		for j := i + 4; j <= min(i+10, len(text)); j++ {
			if year, separator, is := date(text[i:j]); is {
				all = append(all, found(text, i, j, match.Match{Pattern: "date", Year: year, Separator: separator}))
			}
		}
	}
	for _, m := range all {
		inner := false
		for _, other := range all {
			inner = inner || m != other && other.I <= m.I && m.J <= other.J
		}
		if !inner {
			outer = append(outer, m)
		}
	}
	return outer
}

// date reads a date, and gives the year that is nearest if it may be read in several ways.
func date(text string) (year int, separator string, is bool) {
	if allDigits(text) {
		for _, s := range splits[len(text)] {
			y, ok := yearOf(text[:s[0]], text[s[0]:s[1]], text[s[1]:])
			if ok && (!is || distance(y) < distance(year)) {
				year, is = y, true
			}
		}
		return year, "", is
	}
	at := strings.IndexAny(text, " \t/\\_.-")
	if at < 0 {
		return 0, "", false
	}
	separator = text[at : at+1]
	parts := strings.Split(text, separator)
	if len(parts) != 3 || len(parts[0]) > 4 || len(parts[1]) > 2 || len(parts[2]) > 4 || len(text) < 6 {
		return 0, "", false
	}
	for _, part := range parts {
		if !allDigits(part) {
			return 0, "", false
		}
	}
	year, is = yearOf(parts[0], parts[1], parts[2])
	return year, separator, is
}

func distance(year int) int { return max(year-scoring.ReferenceYear, scoring.ReferenceYear-year) }

// yearOf is the year of a date with three parts, if it is one. It stands first or last.
func yearOf(first, second, third string) (year int, is bool) {
	var n [3]int
	for i, part := range []string{first, second, third} {
		n[i], _ = strconv.Atoi(part) // digits alone
	}
	if !mayBeDate(n) {
		return 0, false
	}
	orders := [][3]int{{n[2], n[0], n[1]}, {n[0], n[1], n[2]}}
	for _, o := range orders {
		if 1000 <= o[0] && o[0] <= 2050 {
			return o[0], dayAndMonth(o[1], o[2])
		}
	}
	for _, o := range orders {
		if dayAndMonth(o[1], o[2]) {
			switch {
			case o[0] > 99:
				return o[0], true
			case o[0] > 50:
				return o[0] + 1900, true
			}
			return o[0] + 2000, true
		}
	}
	return 0, false
}

// mayBeDate leaves out what is none in whatever order.
func mayBeDate(n [3]int) bool {
	over31, over12, under1 := 0, 0, 0
	for _, part := range n {
		switch {
		case part > 99 && part < 1000 || part > 2050:
			return false
		case part > 31:
			over31++
		case part < 1:
			under1++
		}
		if part > 12 {
			over12++
		}
	}
	return n[1] >= 1 && n[1] <= 31 && over31 < 2 && over12 < 3 && under1 < 2
}

func dayAndMonth(a, b int) bool { return a <= 31 && b <= 12 || b <= 31 && a <= 12 }
