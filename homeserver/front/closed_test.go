package front

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestClosed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/_synapse/mas", "/_synapse/mas/query_user", "//_synapse/mas", "///_synapse//mas", "/%5Fsynapse/mas",
		"/%5fsynapse/%6das", "/_synapse/./mas", "/./_synapse/mas",
		"/_matrix/../_synapse/mas", "/_matrix/%2e%2e/_synapse/mas", "/_matrix/..%2f_synapse/mas",
		"/_matrix/..%2F..%2F_synapse/mas", "/%255Fsynapse/mas", "/%2F_synapse/mas",
		"/_SYNAPSE/mas", "/_synapse", "/_synapse/", "/_synapse/metrics", "/_synapse/client/../mas",
		"/_synapse/client/%2e%2e/mas", "/_synapse/client/..%2Fmas",
		"/_synapse/clients", "/_synapse/client%2F../mas", "/_synapse;x/mas", `/\_synapse\mas`, "/%5C_synapse/mas",
		`/a\b/../_synapse/mas`, "/%25255Fsynapse/mas", "/_synapse/admin", "/_synapse/admin/../mas",
		"/_synapse/x/../client/../mas",
	} {
		if !closed(path, false) {
			t.Errorf("%s is open", path)
		}
		if admin := strings.HasPrefix(path, "/_synapse/admin"); closed(path, true) == (admin &&
			path == "/_synapse/admin") {
			t.Errorf("%s is open=%v when the admin API is exposed", path, !closed(path, true))
		}
	}
	for _, path := range []string{
		"/", "/_matrix/client/v3/sync", "/_synapse/client/x", "/_synapse/client", "/_synapses",
		"/_matrix/client/v3/rooms/!a%2F_synapse%2Fmas/x", "/_matrix/_synapse",
		"/_matrix/client/v3/user/@a:b/account_data/_synapse", "/%zz",
	} {
		if closed(path, false) {
			t.Errorf("%s is closed", path)
		}
	}
	if closed("/_synapse/admin/v1/users/%40a%3Ab", true) || closed("/_synapse/admin/v1/rooms/a..b", true) {
		t.Error("the admin API is not exposed")
	}
}

// readings are the segments of a path as servers may parse it: as Twisted does, as one that decodes first, and as each
// of them with dot segments resolved.
func readings(raw string) [][]string {
	split := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	var segments []string
	for _, s := range split {
		segments = append(segments, decoded(s))
	}
	for len(segments) > 1 && segments[0] == "" { // RootRedirect gives itself for a child without a name
		segments = segments[1:]
	}
	all := [][]string{segments}
	for _, way := range [][]string{segments, strings.Split(decoded(raw), "/")} {
		var resolved []string
		for _, s := range way {
			switch s {
			case "", ".":
			case "..":
				resolved = resolved[:max(0, len(resolved)-1)]
			default:
				resolved = append(resolved, s)
			}
		}
		all = append(all, resolved)
	}
	return all
}

// FuzzClosed: every path that a server could take for one of Synapse's own APIs is closed.
func FuzzClosed(f *testing.F) {
	for _, seed := range []string{
		"/_synapse/mas", "//_synapse/mas", "/%5Fsynapse/mas", "/_synapse/./mas", "/_matrix/../_synapse/admin",
		"/_synapse/client/%2e%2e/mas", "/_matrix/client/v3/sync", "/a%2f..%2f_synapse%2fmas",
		`/a\b/../_synapse/admin`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		raw = "/" + raw
		if _, err := url.PathUnescape(raw); err != nil {
			return // net/http refuses it
		}
		for _, segments := range readings(raw) {
			if len(segments) > 1 && segments[0] == "_synapse" &&
				slices.Contains([]string{"mas", "admin"}, segments[1]) && !closed(raw, false) {
				t.Errorf("%q is open, and means %q", raw, segments)
			}
			if len(segments) > 1 && segments[0] == "_synapse" && segments[1] == "mas" && !closed(raw, true) {
				t.Errorf("%q is open, and means %q", raw, segments)
			}
		}
	})
}
