package notify

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// internal are networks that nobody on the internet is in. IANA, "IPv4 Special-Purpose Address Registry" and "IPv6
// Special-Purpose Address Registry". Of IPv6 only global unicast is public (RFC 4291, section 2.4), so what lies
// outside of that needs no line.
var internal = networks("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

// never are networks that no receiver is in, however internal it may be: those that name no machine, and those in which
// clouds keep what a machine may do, its credentials with it.
var never = networks("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "100.100.100.200/32",
	"::/128", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32")

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // stands for the IPv4 address in its last 32 bits: RFC 6052
)

func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// within reports whether an address is in one of the networks.
func within(addr netip.Addr, all []netip.Prefix) bool {
	return slices.ContainsFunc(all, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// plain is the address that is meant: an IPv4 address may be written as IPv6.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return addr
}

// Internal reports whether an address is one of this machine or of a network of its operator's.
func Internal(addr netip.Addr) bool {
	addr = plain(addr)
	return within(addr, never) || within(addr, internal) || addr.Is6() && !globalUnicast.Contains(addr)
}

// judge returns why a webhook must not reach an address; nil if it may.
func judge(addr netip.Addr, allowInternal bool) error {
	switch {
	case within(plain(addr), never):
		return fmt.Errorf("%s is no address of a receiver", addr)
	case !allowInternal && Internal(addr):
		return fmt.Errorf("%s is an internal address, and --notify-internal is not set", addr)
	}
	return nil
}

// control judges the address that a connection is about to be made to. It is the one that the name was resolved to, so
// that no second answer of the resolver can be another: net.Dialer.Control.
func control(allowInternal bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err // unreachable: a TCP address
		}
		return judge(at.Addr(), allowInternal)
	}
}
