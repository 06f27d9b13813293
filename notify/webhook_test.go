package notify_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"postern/notify"
)

// when is the time of what these tests send.
var when = time.Unix(1614265330, 0)

// receiver is a server that counts what reaches it.
type receiver struct {
	*httptest.Server
	connections, requests atomic.Int64
	header                http.Header // of the last request
	body                  string
}

func newReceiver(t testing.TB, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := new(receiver)
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.header, r.body = request.Header, string(body)
		r.requests.Add(1)
		answer(w, request)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// started is a receiver that speaks HTTP without TLS.
func started(t testing.TB, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := newReceiver(t, answer)
	r.Start()
	return r
}

func fine(http.ResponseWriter, *http.Request) {}

// port is the receiver's.
func (r *receiver) port() string {
	return r.Listener.Addr().(*net.TCPAddr).AddrPort().String()[len("127.0.0.1:"):]
}

func hook(t *testing.T, text string) *notify.Webhook {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &notify.Webhook{URL: u}
}

// inside is a webhook that may have an internal address.
func inside(t *testing.T, text string) *notify.Webhook {
	t.Helper()
	w := hook(t, text)
	w.Internal = true
	return w
}

func post(t *testing.T, w *notify.Webhook) error {
	t.Helper()
	return w.Post(t.Context(), "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`), when)
}

// TestPost posts to a real receiver. The signature is the one that "Standard Webhooks" gives as its example.
func TestPost(t *testing.T) {
	t.Parallel()
	r := started(t, fine)
	w := inside(t, r.URL+"/hook?key=1")
	if err := post(t, w); err != nil {
		t.Fatal(err)
	}
	if got := r.header.Get("Webhook-Signature"); got != "" {
		t.Errorf("without a secret the signature is %q", got)
	}
	var err error
	if w.Secret, err = notify.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"); err != nil {
		t.Fatal(err)
	}
	if err := post(t, w); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type":      "application/json",
		"Webhook-Id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"Webhook-Timestamp": "1614265330",
		"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q and not %q", name, got, want)
		}
	}
	if r.body != `{"test": 2432232314}` {
		t.Errorf("the body is %q", r.body)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whsec_", "secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "whsec_" + strings.Repeat("AAAA", 22)} {
		if _, err := notify.ParseSecret(text); err == nil || len(text) > 6 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAnswers has receivers that do not take a notice, and those that want more than their due.
func TestAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := started(t, fine)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"taken":     {fine, ""},
		"created":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, ""},
		"refused":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "answers 404"},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "answers 500"},
		"moved":     {redirect(elsewhere, 301), "answers 301; a redirect is not followed"},
		"found":     {redirect(elsewhere, 302), "answers 302"},
		"elsewhere": {redirect(elsewhere, 307), "answers 307"},
		"silent":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		"hung up":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"long":      {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := started(t, test.answer)
			w := inside(t, r.URL+"/SECRET")
			if name == "silent" {
				w.Timeout = 100 * time.Millisecond
			}
			err := post(t, w)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, and not %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("the error shows the URL: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := elsewhere.connections.Load(); n != 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
}

func redirect(to *receiver, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to.URL, status) }
}

// TestEndlessAnswer has a receiver that takes the notice, and then never stops talking.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	stopped := make(chan int64, 1)
	r := started(t, func(w http.ResponseWriter, _ *http.Request) {
		var written int64
		for {
			n, err := w.Write(make([]byte, 4096))
			if written += int64(n); err != nil {
				stopped <- written
				return
			}
		}
	})
	w := inside(t, r.URL)
	w.Timeout = time.Minute
	if err := post(t, w); err != nil {
		t.Fatal(err)
	}
	select {
	case written := <-stopped:
		if written > 64<<20 { // the system's buffers hold some
			t.Errorf("%d bytes were read", written)
		}
	case <-time.After(time.Minute):
		t.Error("the connection is still open")
	}
}

// TestEndlessHeader has one whose header never ends.
func TestEndlessHeader(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for n := 0; err == nil; n++ {
			_, err = fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("x", 100))
		}
	}()
	if err := post(t, inside(t, "http://"+l.Addr().String())); err == nil || !strings.Contains(err.Error(), "header") {
		t.Error(err)
	}
}

// TestReceiverIsKnown has receivers whose certificate is another's.
func TestReceiverIsKnown(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, fine)
	r.StartTLS()
	w := inside(t, r.URL)
	if err := post(t, w); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("of nobody known: %v", err)
	}
	w.TLS = &tls.Config{RootCAs: r.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	if err := post(t, w); err != nil {
		t.Errorf("of a known one: %v", err)
	}
	other := inside(t, "https://hooks.test:"+r.port())
	other.Resolver, other.TLS = newNames(t, "127.0.0.1").resolver(), w.TLS
	if err := post(t, other); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("of another name: %v", err)
	}
	if n := r.requests.Load(); n != 1 {
		t.Errorf("%d notices have reached it", n)
	}
}

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
		"2001:db8::1": true, "2001::1": true, "2002:7f00:1::": true, "2001:4860:4860::8888": false, "2606:4700::1": false,
		"3fff::1": true, "4000::": true,
	} {
		if got := notify.Internal(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: internal %t", text, got)
		}
	}
}

// TestNoProxy sets the variables by which others find a proxy. A proxy would connect to whatever it is asked for.
func TestNoProxy(t *testing.T) {
	proxy, r := started(t, fine), started(t, fine)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	w := inside(t, "http://hooks.test:"+r.port()+"/")
	w.Resolver = newNames(t, "127.0.0.1").resolver()
	if err := post(t, w); err != nil || proxy.connections.Load() != 0 || r.requests.Load() != 1 {
		t.Errorf("%v; the proxy was asked %d times, the receiver %d", err, proxy.connections.Load(), r.requests.Load())
	}
}
