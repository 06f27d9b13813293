package tokens

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// methodIn evaluates "method in GET,HEAD". Methods are compared exactly (RFC 9110, section 9.1: they
// are case-sensitive), and GET does not imply HEAD.
func methodIn(operator, value string, r Request) error {
	if operator != "in" {
		return errOperator
	}
	methods := strings.Split(value, ",")
	switch {
	case slices.Contains(methods, ""):
		return errValue
	case r.Method == "":
		return errUnknown
	case !slices.Contains(methods, r.Method):
		return errDiffers
	}
	return nil
}

// pathUnder evaluates "path under /a/b": the request's path is /a/b or lies below it. Whole segments
// are compared, decoded, so that /a/bc is not below /a/b and an encoded slash ends no segment. A
// segment * stands for any one.
func pathUnder(operator, value string, r Request) error {
	if operator != "under" {
		return errOperator
	}
	root, ok := segments(value)
	if !ok {
		return errValue
	}
	if last := len(root) - 1; root[last] == "" { // a slash at the end asks for no more
		root = root[:last]
	}
	if r.Path == "" {
		return errUnknown
	}
	path, ok := segments(r.Path)
	if !ok || len(path) < len(root) || !slices.EqualFunc(path[:len(root)], root, fits) {
		return errDiffers
	}
	return nil
}

// fits reports whether a segment is the one that a caveat has there. A * stands for none that is empty,
// nor for one with an encoded slash: a server that decodes before it splits would find two.
func fits(segment, wanted string) bool {
	return segment == wanted || wanted == "*" && segment != "" && !strings.Contains(segment, "/")
}

// segments splits a path that begins with a slash and decodes each segment on its own. There is at least
// one, if an empty one.
//
// It refuses dot segments, encoded ones too. Servers differ in how they read them: for one that cleans
// its paths, /devices/../keys is not below /devices; for one that matches them as they come,
// /sendToDevice/../devices is a message of type "..". Taking either side lets the other be tricked, and
// an honest client has removed them before it sends (RFC 3986, section 5.2.4).
func segments(path string) ([]string, bool) {
	if path == "" || path[0] != '/' {
		return nil, false
	}
	segs := strings.Split(path[1:], "/")
	for i, s := range segs {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		// Some servers decode before they split, so look behind encoded slashes.
		for part := range strings.SplitSeq(decoded, "/") {
			if part == "." || part == ".." {
				return nil, false
			}
		}
		segs[i] = decoded
	}
	return segs, true
}

// addrIn evaluates "addr in 192.0.2.0/24,2001:db8::1": the client's address is one of these or in one
// of these networks. An IPv4 address in IPv6 form counts as the IPv4 address that it is, on both sides.
func addrIn(operator, value string, r Request) error {
	if operator != "in" {
		return errOperator
	}
	addr, found := r.Addr.Unmap().WithZone(""), false
	for item := range strings.SplitSeq(value, ",") {
		network, ok := parseNetwork(item)
		if !ok { // whether an earlier item matched or not: half a list is not what the holder meant
			return errValue
		}
		found = found || network.Contains(addr)
	}
	switch {
	case !r.Addr.IsValid():
		return errUnknown
	case !found:
		return errDiffers
	}
	return nil
}

// parseNetwork reads an address block or a single address.
func parseNetwork(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		plain := addr.Unmap()
		return netip.PrefixFrom(plain, plain.BitLen()), addr.Zone() == ""
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if addr := network.Addr(); addr.Is4In6() {
		// Less than 96 bits would be a network of which IPv4 is but a part; PrefixFrom makes it invalid.
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network, network.IsValid()
}

// deviceIs evaluates "device_id = ABC".
func deviceIs(operator, value string, r Request) error {
	switch {
	case operator != "=":
		return errOperator
	case r.DeviceID == "":
		return errUnknown
	case r.DeviceID != value:
		return errDiffers
	}
	return nil
}
