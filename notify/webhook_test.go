package notify_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
		"long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := started(t, test.answer)
			w := inside(t, r.URL+"/SECRET")
			if name == "silent" {
				w.Timeout = 100 * time.Millisecond
			}
			err := post(t, w)
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
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
		if _, err = http.ReadRequest(bufio.NewReader(c)); err == nil { // an answer before it would be none
			_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		}
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
