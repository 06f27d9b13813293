package front

import (
	"iter"
	"net/url"
	"path"
	"strings"
)

// closed reports whether a path is not served to the public: everything below /_synapse except /_synapse/client, where
// the homeserver's web pages are, and /_synapse/admin if that is exposed. Synapse's documentation of reverse proxies
// recommends the same.
//
// Servers differ in how they parse a path. Twisted splits it at slashes, decodes each segment and ignores an empty
// first segment (`//_synapse/mas` is /_synapse/mas); others decode first, or remove dot segments. So a path that any
// server could take for one below /_synapse is closed, unless it is spelled as in Synapse's documentation.
func closed(raw string, exposeAdmin bool) bool {
	if !mayBeSynapse(raw) {
		return false
	}
	public := []string{"/_synapse/client"}
	if exposeAdmin {
		public = append(public, "/_synapse/admin")
	}
	for _, prefix := range public {
		rest, found := strings.CutPrefix(raw, prefix)
		if found && (rest == "" || rest[0] == '/') && !hasDotSegment(rest) {
			return false
		}
	}
	return true
}

// mayBeSynapse reports whether some server could take a path for one below /_synapse.
func mayBeSynapse(raw string) bool {
	if strings.HasPrefix(raw, "/_synapse") && (len(raw) == 9 || raw[9] == '/') {
		return true
	}
	if !strings.Contains(raw, "%") && !strings.ContainsAny(raw, `\;`) && !strings.Contains(raw, "/.") &&
		!strings.Contains(raw, "//") &&
		!(len(raw) > 2 && (raw[2] == 's' || raw[2] == 'S')) {
		return false // the common case: all servers parse it alike
	}
	for plain := range decodings(raw) {
		if isSynapse(plain) || isSynapse(strings.ReplaceAll(plain, `\`, "/")) {
			return true
		}
	}
	return false
}

// decodings yields a path as it was sent, and decoded once, twice and three times, as a chain of servers might do that
// each decode what they pass on. A longer chain is not expected, and without a limit a client could have a long path
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

// isSynapse reports whether a decoded path is one below /_synapse, if dot segments are resolved or if they are ignored.
func isSynapse(plain string) bool {
	if startsInSynapse(path.Clean("/" + plain)) {
		return true
	}
	kept := make([]string, 0, 8)
	for segment := range strings.SplitSeq(plain, "/") {
		if segment != "" && segment != "." && segment != ".." {
			kept = append(kept, segment)
		}
	}
	return startsInSynapse("/" + strings.Join(kept, "/"))
}

// startsInSynapse reports whether the first segment of a path is _synapse. Synapse compares the case of letters, but
// another server might not.
func startsInSynapse(clean string) bool {
	segment, _, _ := strings.Cut(strings.TrimPrefix(clean, "/"), "/")
	segment, _, _ = strings.Cut(segment, ";") // parameters of a segment, RFC 3986, section 3.3
	return strings.EqualFold(segment, "_synapse")
}

// hasDotSegment reports whether a path may lead out of the folder in which it begins.
func hasDotSegment(rest string) bool {
	for plain := range decodings(rest) {
		for segment := range strings.SplitSeq(strings.ReplaceAll(plain, `\`, "/"), "/") {
			if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
				return true
			}
		}
	}
	return false
}

// decoded is a path with its escapes decoded once. Invalid escapes stay as they are, as in Twisted.
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
