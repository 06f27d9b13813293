package tokens_test

import (
	"net/netip"
	"testing"
	"time"

	"postern/tokens"
)

func TestParseCaveat(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]tokens.Caveat{
		"gen = 1":               {Key: "gen", Operator: "=", Value: "1"},
		"user_id = @a:b":        {Key: "user_id", Operator: "=", Value: "@a:b"},
		"_ < 0":                 {Key: "_", Operator: "<", Value: "0"},
		"A9 in a b  c ":         {Key: "A9", Operator: "in", Value: "a b  c "},
		"k ≤ é":                 {Key: "k", Operator: "≤", Value: "é"},
		"k under \t":            {Key: "k", Operator: "under", Value: "\t"},
		"k = \x00":              {Key: "k", Operator: "=", Value: "\x00"},
		"k \u200b 1":            {Key: "k", Operator: "\u200b", Value: "1"}, // zero width is not white space
		"time == 1782907500000": {Key: "time", Operator: "==", Value: "1782907500000"},
	} {
		got, err := tokens.ParseCaveat(s)
		if err != nil || got != want {
			t.Errorf("ParseCaveat(%q) = %+v, %v, want %+v", s, got, err, want)
		}
		if got.String() != s {
			t.Errorf("ParseCaveat(%q) is written %q", s, got)
		}
	}
}

func TestParseCaveatRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", " ", "  ", "   ", "gen", "gen ", "gen =", "gen = ", "gen =  1", "gen  = 1", " gen = 1",
		"gen=1", "gen =1", "gen= 1 ", "user-id = 1", "üser = 1", "k\t= 1", "k =\t 1", "k \t 1", "k \n 1",
		"k \u00a0 1", "k \u2003 1", "k \u3000 1", "k \u0085 1", "\x00 = 1", "k = \xff", "k \xff 1", "\xff = 1",
		"k\n = 1", "k = \xed\xa0\x80",
	} {
		got, err := tokens.ParseCaveat(s)
		wantErr(t, err, tokens.ErrMalformed)
		if got != (tokens.Caveat{}) {
			t.Errorf("ParseCaveat(%q) = %+v and an error", s, got)
		}
	}
}

// predicateTest is a caveat's operator and value, judged for the request that set makes.
type predicateTest struct {
	operator, value, fact string
	holds                 bool
}

func testPredicate(t *testing.T, key string, set func(r *tokens.Request, fact string), tests []predicateTest) {
	t.Helper()
	predicate := tokens.Caveats()[key]
	for _, tc := range tests {
		r := tokens.Request{}
		set(&r, tc.fact)
		if err := predicate(tc.operator, tc.value, r); (err == nil) != tc.holds {
			t.Errorf("%s %s %q for %q: %v, want holds = %v", key, tc.operator, tc.value, tc.fact, err, tc.holds)
		}
		// Another operator never holds, nor does the caveat when the request says nothing.
		if err := predicate("~", tc.value, r); err == nil {
			t.Errorf("%s ~ %q holds for %q", key, tc.value, tc.fact)
		}
		if err := predicate(tc.operator, "", r); err == nil {
			t.Errorf("%s %s without a value holds for %q", key, tc.operator, tc.fact)
		}
		if err := predicate(tc.operator, tc.value, tokens.Request{}); err == nil {
			t.Errorf("%s %s %q holds for nothing", key, tc.operator, tc.value)
		}
	}
}

func TestMethod(t *testing.T) {
	t.Parallel()
	testPredicate(t, "method", func(r *tokens.Request, fact string) { r.Method = fact }, []predicateTest{
		{"in", "GET", "GET", true},
		{"in", "GET,HEAD", "GET", true},
		{"in", "GET,HEAD", "HEAD", true},
		{"in", "GET", "HEAD", false},
		{"in", "GET", "get", false},
		{"in", "get", "GET", false},
		{"in", "GET, HEAD", "HEAD", false},
		{"in", "GET,", "GET", false},
		{"in", ",GET", "GET", false},
		{"in", "GET,,PUT", "GET", false},
		{"in", ",", "", false},
		{"in", "GET,HEAD", "GET,HEAD", false},
		{"in", "*", "GET", false},
		{"=", "GET", "GET", false},
	})
}

func TestPath(t *testing.T) {
	t.Parallel()
	testPredicate(t, "path", func(r *tokens.Request, fact string) { r.Path = fact }, []predicateTest{
		{"under", "/x/y", "/x/y", true},
		{"under", "/x/y", "/x/y/", true},
		{"under", "/x/y", "/x/y/z", true},
		{"under", "/x/y/", "/x/y", true},
		{"under", "/x/y/", "/x/y/z", true},
		{"under", "/", "/", true},
		{"under", "/", "/x", true},
		{"under", "/x/y", "/", false},
		{"under", "/x/y", "/x", false},
		{"under", "/x/y", "/x/", false},
		{"under", "/x/y", "/x/yz", false},
		{"under", "/x/y", "/X/y", false},
		{"under", "/x/y", "/a/x/y", false},
		{"under", "/x/y", "x/y", false},
		{"under", "x/y", "/x/y", false},
		{"under", "x/y", "x/y", false},
		{"=", "/x/y", "/x/y", false},

		// Escapes mean what they stand for; a slash among them ends no segment.
		{"under", "/x/y", "/%78/y/z", true},
		{"under", "/%78/y", "/x/y/z", true},
		{"under", "/x/a b", "/x/a%20b", true},
		{"under", "/x/a+b", "/x/a+b", true},
		{"under", "/x/a b", "/x/a+b", false},
		{"under", "/x/y", "/x%2Fy", false},
		{"under", "/x%2Fy", "/x/y", false},
		{"under", "/x%2Fy", "/x%2fy/z", true},
		{"under", "/x/y", "/x/y/@a%2Fb:example.org", true},
		{"under", "/x/y", "/x/y%2Fz", false},
		{"under", "/x/y", "/x/y/%", false},
		{"under", "/x/y", "/x/y/%2", false},
		{"under", "/x/y", "/x/y/%zz", false},
		{"under", "/x/%", "/x/%", false},

		// A * is any one segment, and none that some server might take for none, or for two.
		{"under", "/x/*/send", "/x/!a:b/send/z", true},
		{"under", "/x/*/send", "/x/*/send", true},
		{"under", "/x/*/send", "/x/!a:b/state", false},
		{"under", "/x/*/send", "/x/send", false},
		{"under", "/x/*/send", "/x/a/b/send", false},
		{"under", "/x/*/send", "/x//send", false},
		{"under", "/x/*/send", "/x/a%2Fstate/send", false},
		{"under", "/x/*/send", "/x/a%2F..%2Fb/send", false},
		{"under", "/x/*/send", "/x/../send", false},
		{"under", "/x/*", "/x", false},
		{"under", "/x/*", "/x/", false},
		{"under", "/x/a*", "/x/ab", false},

		// Empty segments are segments: whether a server drops them is its own affair.
		{"under", "/x/y", "/x//y", false},
		{"under", "/x/y", "//x/y", false},
		{"under", "/x/y", "/x/y//z", true},
		{"under", "/x//y", "/x/y", false},
		{"under", "//", "/x", false},
		{"under", "//", "//x", true},

		// Dot segments are refused wherever they stand and whatever they lead to.
		{"under", "/x/y", "/x/y/../z", false},
		{"under", "/x/y", "/x/y/..", false},
		{"under", "/x/y", "/x/y/z/..", false},
		{"under", "/x/y", "/x/z/../y", false},
		{"under", "/x/y", "/x/./y", false},
		{"under", "/x/y", "/x/y/.", false},
		{"under", "/x/y", "/x/y/%2e%2E/z", false},
		{"under", "/x/y", "/x/y/.%2e/z", false},
		{"under", "/x/y", "/x/y/a%2F..%2F..%2F..%2Fz", false},
		{"under", "/x/y", "/x/y/..%2Fz", false},
		{"under", "/x/y", "/../x/y", false},
		{"under", "/x/../y", "/y", false},
		{"under", "/x/.", "/x", false},
		{"under", "/..", "/x", false},
		{"under", "/x/y", "/x/y/..z", true},
		{"under", "/x/y", "/x/y/...", true},
	})
}

// TestPathForServersThatDoNotClean is the attack for which dot segments are refused: a homeserver that
// matches paths as they come reads this one as sending a message of type "..".
func TestPathForServersThatDoNotClean(t *testing.T) {
	t.Parallel()
	r := tokens.Request{Path: "/_matrix/client/v3/sendToDevice/../devices"}
	if tokens.Caveats()["path"]("under", "/_matrix/client/v3/devices", r) == nil {
		t.Error("holds")
	}
}

// TestSound: what no request can ever satisfy is told apart from what some can.
func TestSound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"method in GET,PUT": true, "method in ": false, "method in GET,": false, "method = GET": false,
		"path under /x/*/y": true, "path under x": false, "path under /x/../y": false, "path under /%": false,
		"path in /x": false, "addr in 192.0.2.0/24,::1": true, "addr in 192.0.2": false, "addr = ::1": false,
		"device_id = A": true, "device_id in A": false,
		"time < 5": true, "time > 5": true, "time == 5": true, "time < soon": false, "time < 05": false,
		"time <= 5": false,
		"gen = 1":   false, "user_id = @alice:example.org": false, "type = access": false, "room = x": false,
	} {
		caveat, err := tokens.ParseCaveat(text)
		if err == nil {
			err = tokens.Caveats().Sound(caveat)
		}
		if (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAddr(t *testing.T) {
	t.Parallel()
	set := func(r *tokens.Request, fact string) { r.Addr, _ = netip.ParseAddr(fact) }
	testPredicate(t, "addr", set, []predicateTest{
		{"in", "192.0.2.0/24", "192.0.2.255", true},
		{"in", "192.0.2.0/24", "192.0.3.0", false},
		{"in", "192.0.2.7/24", "192.0.2.8", true},
		{"in", "192.0.2.7", "192.0.2.7", true},
		{"in", "192.0.2.7", "192.0.2.8", false},
		{"in", "198.51.100.0/24,192.0.2.7", "192.0.2.7", true},
		{"in", "2001:db8::/32", "2001:db8:ffff::1", true},
		{"in", "2001:db8::/32", "2001:db9::1", false},
		{"in", "2001:db8::1", "2001:db8::1", true},
		{"in", "2001:DB8:0:0::1", "2001:db8::1", true},
		{"in", "0.0.0.0/0", "2001:db8::1", false},
		{"in", "::/0", "192.0.2.7", false},
		{"in", "fe80::/10", "fe80::1%eth0", true},

		// IPv4 in IPv6 form is IPv4, on both sides.
		{"in", "192.0.2.0/24", "::ffff:192.0.2.7", true},
		{"in", "::ffff:192.0.2.0/120", "192.0.2.7", true},
		{"in", "::ffff:192.0.2.7", "192.0.2.7", true},
		{"in", "::ffff:0.0.0.0/96", "192.0.2.7", true},
		{"in", "::ffff:0.0.0.0/95", "192.0.2.7", false},
		{"in", "::/0", "::ffff:192.0.2.7", false},

		// One item that can't be read refuses, whatever the others are.
		{"in", "192.0.2.7,", "192.0.2.7", false},
		{"in", ",192.0.2.7", "192.0.2.7", false},
		{"in", "192.0.2.7, 192.0.2.8", "192.0.2.7", false},
		{"in", "192.0.2.7,localhost", "192.0.2.7", false},
		{"in", "192.0.2.7,192.0.2.0/33", "192.0.2.7", false},
		{"in", "192.0.2.7,192.0.2.0/024", "192.0.2.7", false},
		{"in", "192.0.2.7,192.0.2", "192.0.2.7", false},
		{"in", "192.0.2.7,fe80::1%eth0", "192.0.2.7", false},
		{"in", "fe80::1%eth0", "fe80::1%eth0", false},
		{"in", "::ffff:192.0.2.7%eth0", "192.0.2.7", false},
		{"=", "192.0.2.7", "192.0.2.7", false},
	})
}

func TestDeviceID(t *testing.T) {
	t.Parallel()
	testPredicate(t, "device_id", func(r *tokens.Request, fact string) { r.DeviceID = fact }, []predicateTest{
		{"=", "ABC", "ABC", true},
		{"=", "A B", "A B", true},
		{"=", "ABC", "abc", false},
		{"=", "ABC", "ABCD", false},
		{"=", "ABC", "", false},
		{"==", "ABC", "ABC", false},
	})
}

func TestBefore(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		caveats []string
		want    time.Time
		found   bool
	}{
		{nil, time.Time{}, false},
		{[]string{"", "gen = 1", "time > 5", "time == 5", "time < x", "time < 05"}, time.Time{}, false},
		{[]string{"time < 5"}, time.UnixMilli(5).UTC(), true},
		{[]string{"time < 7", "time < 5", "time < 9"}, time.UnixMilli(5).UTC(), true},
		{[]string{"time < 7", "time < 0"}, time.UnixMilli(0).UTC(), true},
	} {
		if got, found := tokens.Before(tc.caveats); got != tc.want || found != tc.found {
			t.Errorf("Before(%q) = %v, %v, want %v, %v", tc.caveats, got, found, tc.want, tc.found)
		}
	}
}

// TestCaveatsIsFresh: a program that extends its table extends nobody else's.
func TestCaveatsIsFresh(t *testing.T) {
	t.Parallel()
	tokens.Caveats()["path"] = nil
	if tokens.Caveats()["path"] == nil {
		t.Error("tables are shared")
	}
}
