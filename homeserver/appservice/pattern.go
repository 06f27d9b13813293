package appservice

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// compile makes of a Python expression one of Go that matches what Python's re.match does: from the start on, not
// necessarily to the end.
func compile(python string) (*regexp.Regexp, error) {
	text, err := translate(python)
	if err != nil {
		return nil, err
	}
	if _, err := regexp.Compile(text); err != nil { // as it stands, so that a stray parenthesis cannot pair with ours
		return nil, fmt.Errorf("%w; write it without look-around, possessive repetition and flags other than i, m and s", plain(err))
	}
	return regexp.Compile(`\A(?:` + text + `)`)
}

// plain is the error without the package's name.
func plain(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// translate writes a Python expression in Go's way, where the two only spell it differently, and refuses what both can
// read and understand differently.
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
			b.WriteString("{0,") // Go takes {,3} for six letters
			i++
		case !inClass && (strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") &&
			!strings.HasPrefix(rest, "(?<!")):
			return "", errors.New("(?<name> means nothing to Python; write (?P<name>")
		default:
			if open := class(rest); open > 0 && !inClass {
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

// class is how many bytes begin a set of letters, with the bracket that closes nothing because it comes first; 0 if
// none begins here.
func class(text string) int {
	for _, open := range []string{"[^]", "[]", "[^", "["} {
		if strings.HasPrefix(text, open) {
			return len(open)
		}
	}
	return 0
}
