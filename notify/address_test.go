package notify_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"postern/notify"
)

// names is a DNS server that answers each question for an address with the next of its answers, and with the last one
// from then on.
type names struct {
	at      string
	answers []netip.Addr
	asked   atomic.Int64
}

func newNames(t *testing.T, answers ...string) *names {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	n := &names{at: c.LocalAddr().String()}
	for _, answer := range answers {
		n.answers = append(n.answers, netip.MustParseAddr(answer))
	}
	go n.serve(t, c)
	return n
}

// resolver asks this server and nobody else.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", n.at)
	}}
}

func (n *names) serve(t *testing.T, c net.PacketConn) {
	for buffer := make([]byte, 1500); ; {
		size, from, err := c.ReadFrom(buffer)
		if err != nil {
			return // it is closed
		}
		var m dnsmessage.Message
		if err := m.Unpack(buffer[:size]); err != nil {
			t.Error(err)
			return
		}
		packed, err := n.answer(m).Pack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = c.WriteTo(packed, from)
	}
}

func (n *names) answer(m dnsmessage.Message) *dnsmessage.Message {
	q := m.Questions[0]
	reply := &dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true},
		Questions: m.Questions}
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}
	next := n.answers[min(int(n.asked.Load()), len(n.answers)-1)]
	switch {
	case q.Type == dnsmessage.TypeA && next.Is4():
		n.asked.Add(1)
		reply.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: next.As4()}}}
	case q.Type == dnsmessage.TypeAAAA && next.Is6():
		n.asked.Add(1)
		reply.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: next.As16()}}}
	}
	return reply
}

// TestWebhookToInternalAddress has names and spellings that lead to a listener of this machine. Nothing connects to it,
// until its operator allows that.
func TestWebhookToInternalAddress(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"127.0.0.1":                "",
		"localhost":                "",
		"127.1":                    "", // the system's resolver takes these for addresses, Go's does not
		"2130706433":               "",
		"0x7f000001":               "",
		"0177.0.0.1":               "",
		"[::ffff:127.0.0.1]":       "",
		"[::ffff:7f00:1]":          "",
		"hooks.test":               "127.0.0.1",
		"mapped.hooks.test":        "::ffff:127.0.0.1",
		"translated.hooks.test":    "64:ff9b::7f00:1",
		"another-of-it.hooks.test": "127.8.9.10",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := started(t, fine)
			w := hook(t, "http://"+name+":"+r.port()+"/")
			if answer != "" {
				w.Resolver = newNames(t, answer).resolver()
			}
			err := post(t, w)
			if err == nil || r.connections.Load() != 0 {
				t.Fatalf("%v; %d connections", err, r.connections.Load())
			}
			w.Internal = true
			allowed := post(t, w)
			if reaches := allowed == nil; reaches && !strings.Contains(err.Error(), "is an internal address") {
				t.Errorf("it was refused for another reason: %v", err)
			} else if !reaches && (name == "127.0.0.1" || answer == "127.0.0.1" || strings.HasPrefix(name, "[")) {
				t.Errorf("with --notify-internal: %v", allowed)
			}
		})
	}
}

// TestRebinding has a name that whoever looks before finds at a public address, and whoever connects at an internal
// one. The address is judged by which the connection is made.
func TestRebinding(t *testing.T) {
	t.Parallel()
	r := started(t, fine)
	n := newNames(t, "93.184.215.14", "127.0.0.1")
	w := hook(t, "http://hooks.test:"+r.port()+"/")
	w.Resolver = n.resolver()
	before, err := w.Resolver.LookupNetIP(t.Context(), "ip4", "hooks.test.")
	if err != nil || len(before) != 1 || notify.Internal(before[0]) {
		t.Fatalf("the name is not public to begin with: %v, %v", before, err)
	}
	err = post(t, w)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1 is an internal address") || r.connections.Load() != 0 {
		t.Errorf("%v; %d connections", err, r.connections.Load())
	}
	w.Internal = true // so it is the judgement that has kept it away
	if err := post(t, w); err != nil {
		t.Error(err)
	}
}

// TestWebhookToMetadata has names at the addresses from which clouds give credentials away, which nothing allows.
func TestWebhookToMetadata(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "fe80::1",
		"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1"} {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			w := inside(t, "http://hooks.test/")
			w.Resolver = newNames(t, addr).resolver()
			if err := post(t, w); err == nil || !strings.Contains(err.Error(), "is no address of a receiver") {
				t.Errorf("by its name: %v", err)
			}
			text := addr
			if strings.Contains(addr, ":") {
				text = "[" + addr + "]"
			}
			if err := post(t, inside(t, "http://"+text+"/")); err == nil ||
				!strings.Contains(err.Error(), "is no address of a receiver") {
				t.Errorf("by itself: %v", err)
			}
		})
	}
}

// TestInternal has the first and the last address of each network, and its neighbours.
func TestInternal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"9.255.255.255": false, "10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false,
		"100.63.255.255": false, "100.64.0.0": true, "100.127.255.255": true, "100.128.0.0": false,
		"126.255.255.255": false, "127.0.0.0": true, "127.255.255.255": true, "128.0.0.0": false,
		"169.253.255.255": false, "169.254.0.0": true, "169.254.255.255": true, "169.255.0.0": false,
		"172.15.255.255": false, "172.16.0.0": true, "172.31.255.255": true, "172.32.0.0": false,
		"192.167.255.255": false, "192.168.0.0": true, "192.168.255.255": true, "192.169.0.0": false,
		"198.17.255.255": false, "198.18.0.0": true, "198.19.255.255": true, "198.20.0.0": false,
		"223.255.255.255": false, "224.0.0.0": true, "240.0.0.1": true, "0.1.2.3": true, "1.0.0.0": false,
		"192.0.0.8": true, "192.0.1.0": false, "192.0.2.1": true, "198.51.100.1": true, "203.0.113.1": true,
		"::1": true, "::": true, "::7f00:1": true, "::ffff:10.1.2.3": true, "::ffff:9.9.9.9": false,
		"64:ff9b::10.1.2.3": true, "64:ff9b::9.9.9.9": false, "64:ff9b:1::9.9.9.9": true, "100::1": true,
		"fc00::1": true, "fd12::1": true, "fe80::1%eth0": true, "fec0::1": true, "ff02::1": true,
		"2001:db8::1": true, "2001::1": true, "2002:7f00:1::": true, "2001:4860:4860::8888": false,
		"2606:4700::1": false, "3fff::1": true, "4000::": true,
	} {
		if got := notify.Internal(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: internal %t", text, got)
		}
	}
}

// TestWebhookNoProxy sets the variables by which others find a proxy. A proxy would connect to whatever it is asked
// for.
func TestWebhookNoProxy(t *testing.T) {
	proxy, r := started(t, fine), started(t, fine)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	w := inside(t, "http://hooks.test:"+r.port()+"/")
	w.Resolver = newNames(t, "127.0.0.1").resolver()
	if err := post(t, w); err != nil || proxy.connections.Load() != 0 || r.requests.Load() != 1 {
		t.Errorf("%v; the proxy was asked %d times, the receiver %d", err, proxy.connections.Load(),
			r.requests.Load())
	}
}
