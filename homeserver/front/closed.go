package front

import (
	"iter"
	"net/url"
	"path"
	"strings"
)

// closed reports whether a path leads to what is not for strangers: anything below /_synapse but /_synapse/client,
// which the homeserver's pages for people are, and /_synapse/admin if that is exposed. Synapse's own advice to those
// who put a proxy before it is the same.
//
// Servers differ in how they read a path. Twisted splits it at slashes, decodes each segment and takes an empty first
// segment for nothing (`//_synapse/mas` is /_synapse/mas); others decode first, or remove dot segments. So whatever
// could be read as /_synapse has to be spelled as it is in the documentation, or it is closed.
func closed(raw string, exposeAdmin bool) bool {
	if !hidden(raw) {
		return false
	}
	for _, open := range []string{"/_synapse/client", "/_synapse/admin"} {
		rest, found := strings.CutPrefix(raw, open)
		if found && (rest == "" || rest[0] == '/') && !strange(rest) && (open != "/_synapse/admin" || exposeAdmin) {
			return false
		}
	}
	return true
}

// hidden reports whether some server could take a path for one below /_synapse.
func hidden(raw string) bool {
	if strings.HasPrefix(raw, "/_synapse") && (len(raw) == 9 || raw[9] == '/') {
		return true
	}
	if !strings.Contains(raw, "%") && !strings.ContainsAny(raw, `\;`) && !strings.Contains(raw, "/.") &&
		!strings.Contains(raw, "//") &&
		!(len(raw) > 2 && (raw[2] == 's' || raw[2] == 'S')) {
		return false // the common case: it means what it says
	}
	for plain := range decodings(raw) {
		if below(plain) || below(strings.ReplaceAll(plain, `\`, "/")) {
			return true
		}
	}
	return false
}

// decodings are a path as it came, and decoded once, twice and three times: servers that stand behind each other may
// each decode what they pass on. More than three there are not, and a stranger must not be able to have a long path
// decoded thousands of times.
func decodings(raw string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range 4 {
			if !yield(raw) {
				return
			}
			next := decoded(raw)
			if next == raw {
				return
			}
			raw = next
		}
	}
}

// below cleans a path in both ways, dot segments resolved and dot segments ignored, and looks where it leads.
func below(plain string) bool {
	if first(path.Clean("/" + plain)) {
		return true
	}
	kept := make([]string, 0, 8)
	for segment := range strings.SplitSeq(plain, "/") {
		if segment != "" && segment != "." && segment != ".." {
			kept = append(kept, segment)
		}
	}
	return first("/" + strings.Join(kept, "/"))
}

// first reports whether the first segment is _synapse. Synapse looks at the case of letters; a file system behind might
// not.
func first(clean string) bool {
	segment, _, _ := strings.Cut(strings.TrimPrefix(clean, "/"), "/")
	segment, _, _ = strings.Cut(segment, ";") // parameters of a segment, RFC 3986, section 3.3
	return strings.EqualFold(segment, "_synapse")
}

// strange reports what may lead out of a folder again.
func strange(rest string) bool {
	for plain := range decodings(rest) {
		for segment := range strings.SplitSeq(strings.ReplaceAll(plain, `\`, "/"), "/") {
			if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
				return true
			}
		}
	}
	return false
}

// decoded is a path with its escapes decoded once; those that are none stay, as Twisted leaves them.
func decoded(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if plain, err := url.PathUnescape(text[i : i+3]); err == nil {
				b.WriteString(plain)
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
