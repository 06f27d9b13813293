package appservice

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// compile makes a Go expression from a Python one. It matches as Python's re.match does: at the start of the text, and
// not necessarily to its end.
func compile(python string) (*regexp.Regexp, error) {
	text, err := translate(python)
	if err != nil {
		return nil, err
	}
	if _, err := regexp.Compile(text); err != nil { // alone, so that an unmatched parenthesis cannot pair with ours
		return nil, fmt.Errorf("%w; write it without look-around, possessive repetition and flags other than i, m "+
			"and s", withoutPrefix(err))
	}
	return regexp.Compile(`\A(?:` + text + `)`)
}

// withoutPrefix is an error of package regexp without its prefix.
func withoutPrefix(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// translate rewrites what Python and Go spell differently, and refuses what means something else in each.
func translate(python string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(python); i++ {
		rest := python[i:]
		switch {
		case strings.HasPrefix(rest, `\Z`) && !inClass:
			b.WriteString(`\z`)
			i++
		case len(rest) > 1 && rest[0] == '\\' && '0' <= rest[1] && rest[1] <= '9':
			return "", fmt.Errorf("\\%c, a reference to a group or an octal number, is not understood; write out "+
				"what it stands for", rest[1])
		case len(rest) > 1 && rest[0] == '\\' && strings.IndexByte("zQECpP", rest[1]) >= 0:
			return "", fmt.Errorf("\\%c means nothing to Python, which Synapse is written in", rest[1])
		case len(rest) > 1 && rest[0] == '\\':
			b.WriteString(rest[:2])
			i++
		case inClass && strings.HasPrefix(rest, "[:"):
			return "", errors.New("in a set, [: means other things to Python than to others; write the letters out, " +
				"or put a backslash before the bracket")
		case !inClass && strings.HasPrefix(rest, "{,"):
			b.WriteString("{0,") // in Go {,3} is no repetition, but literal text
			i++
		case !inClass && (strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") &&
			!strings.HasPrefix(rest, "(?<!")):
			return "", errors.New("(?<name> means nothing to Python; write (?P<name>")
		default:
			if open := classStart(rest); open > 0 && !inClass {
				inClass = true
				b.WriteString(rest[:open])
				i += open - 1
				continue
			}
			inClass = inClass && rest[0] != ']'
			b.WriteByte(rest[0])
		}
	}
	return b.String(), nil
}

// classStart is the length of the start of a character class; 0 if the text does not begin with one. A closing bracket
// that comes first is part of the class and does not end it.
func classStart(text string) int {
	for _, open := range []string{"[^]", "[]", "[^", "["} {
		if strings.HasPrefix(text, open) {
			return len(open)
		}
	}
	return 0
}
