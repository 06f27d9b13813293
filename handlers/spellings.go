package handlers

import (
	"slices"
	"strings"
)

// spellings finds the operation that a path means, whatever release a client writes before it. Synapse serves most of
// its operations under several, and clients of all ages have kept the one that they were written with.
type spellings struct {
	paths map[string][][]string // the contract's, by how many segments they have
}

func spellingsOf(c *contract) spellings {
	n := spellings{paths: make(map[string][][]string)}
	for r := range c.operations {
		segments := strings.Split(r.path, "/")
		if key := last(segments); !slices.ContainsFunc(n.paths[key],
			func(known []string) bool { return slices.Equal(known, segments) }) {
			n.paths[key] = append(n.paths[key], segments)
		}
	}
	return n
}

// last is what paths are found by: the last segment, or what stands for it.
func last(segments []string) string {
	if s := segments[len(segments)-1]; !strings.HasPrefix(s, ":") {
		return s
	}
	return ":"
}

// known reports whether the contract has a path; it is compared as it came, escaped.
func (n spellings) known(path string) bool {
	segments := strings.Split(path, "/")
	for _, key := range [...]string{last(segments), ":"} {
		for _, template := range n.paths[key] {
			if fits(template, segments) {
				return true
			}
		}
	}
	return false
}

func fits(template, segments []string) bool {
	return slices.EqualFunc(template, segments, func(want, is string) bool {
		return want == is || strings.HasPrefix(want, ":") && is != ""
	})
}

// clientAPI is what all operations of the client-server API lie below.
const clientAPI = "/_matrix/client/"

// releases are what a path may have after that, in the order in which they are tried.
var releases = []string{"v3/", "v1/", "api/v1/", "r0/", "unstable/"}

// moved are names that an operation had before it was in the specification, below a release.
var moved = map[string]string{
	"org.matrix.msc2965/auth_metadata": "auth_metadata",
	"org.matrix.msc2965/auth_issuer":   "auth_metadata", // its predecessor, which is not served either
	"auth_issuer":                      "auth_metadata",
	"org.matrix.msc2918/refresh":       "refresh",
	"org.matrix.msc3231/register/org.matrix.msc3231.login.registration_token/validity": "register/m.login.registration_token/validity",
	"register/org.matrix.msc3231.login.registration_token/validity":                    "register/m.login.registration_token/validity",
}

// today is the contract's name of a path, or else [Alias]'s.
func (n spellings) today(path string) string {
	if n.known(path) {
		return path
	}
	rest, found := strings.CutPrefix(path, clientAPI)
	if !found {
		return Alias(path)
	}
	for _, release := range releases {
		if below, found := strings.CutPrefix(rest, release); found {
			if name := moved[below]; name != "" {
				below = name
			}
			for _, release := range releases[:3] {
				if name := clientAPI + release + below; n.known(name) {
					return name
				}
			}
		}
	}
	return Alias(path)
}

// leftToHomeserver are the contract's paths that the homeserver answers when there is one: what it can do is more.
var leftToHomeserver = []string{clientAPI + "versions", clientAPI + "v3/capabilities"}

// Name gives today's name of a path that came in front of a homeserver, escaped.
func (s *Server) Name(path string) string { return s.names.today(path) }

// Mine reports whether this server answers a path, and not the homeserver behind it. The path is by today's name.
func (s *Server) Mine(name string) bool {
	switch {
	case operational(name):
		return true
	case name == "/.well-known/matrix/client":
		return s.publicURL != ""
	}
	return s.names.known(name) && !slices.Contains(leftToHomeserver, name)
}
