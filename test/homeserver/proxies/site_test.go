package proxies

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/delegated"
	"postern/test/rig/fakesynapse"
	"postern/test/rig/process"
	"postern/test/rig/safe"
)

const (
	secret        = delegated.Secret
	clientAddress = "127.0.0.7" // which is not the proxy's
	publicURL     = "https://example.org"
)

// site is a proxy, Postern and a homeserver.
type site struct {
	url      string
	postern  string // its address, which no client knows
	client   *http.Client
	upstream *upstream
	output   *safe.Buffer // what the proxy wrote
}

// upstream writes down what it is sent and answers with it. What Postern calls it obeys as Synapse does.
type upstream struct {
	*httptest.Server
	mas *fakesynapse.Server

	mu     sync.Mutex
	others []string
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{mas: fakesynapse.New(t, secret)}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.RequestURI, "/_synapse/mas/") && r.Header.Get("X-Forwarded-For") == "" {
		u.mas.ServeHTTP(w, r)
		return
	}
	if strings.Contains(r.RequestURI, "_synapse") || !strings.HasPrefix(r.RequestURI, "/_matrix/") &&
		!strings.HasPrefix(r.RequestURI, "/.well-known/matrix/") {
		u.mu.Lock()
		u.others = append(u.others, r.RequestURI)
		u.mu.Unlock()
	}
	n, _ := io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"uri": r.RequestURI, "for": r.Header.Get("X-Forwarded-For"),
		"length": n, "capabilities": map[string]any{},
		"org.matrix.msc2965.authentication": map[string]any{}})
}

// outside lists what came from outside and should not have.
func (u *upstream) outside() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.others
}

func newSite(t *testing.T, kind string, split bool) *site {
	t.Helper()
	program := find(t, kind)
	s := &site{upstream: newUpstream(t), output: &safe.Buffer{}}
	postern := delegated.New(t, s.upstream.URL, "example.org", "alice")
	postern.Start(t, "--trusted-proxy", "127.0.0.1", "--public-url", publicURL)
	s.postern = postern.Server.Address
	s.start(t, program, kind, split)
	s.client = &http.Client{Transport: newTransport(t), Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// newTransport is a client's way to a proxy.
func newTransport(t *testing.T) *http.Transport {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // of a certificate that was made a moment ago
		DialContext:     (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}).DialContext,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// find is where Debian has it.
func find(t *testing.T, kind string) string {
	t.Helper()
	if os.Getenv("TEST_PROXIES") == "off" {
		t.Skip("TEST_PROXIES=off")
	}
	program := map[string]string{"nginx": "/usr/sbin/nginx", "caddy": "/usr/bin/caddy"}[kind]
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if os.Getenv("TEST_PROXIES") == "required" {
		t.Fatalf("there is no %s: apt-get install nginx-light caddy", program)
	}
	t.Skipf("there is no %s: apt-get install nginx-light caddy", program)
	return ""
}

// start runs a proxy with the page's file.
func (s *site) start(t *testing.T, program, kind string, split bool) {
	t.Helper()
	ending := ""
	if split {
		ending = "-split"
	}
	homeserver := strings.TrimPrefix(s.upstream.URL, "http://")
	s.url = launch(t, program, kind, ending, s.output, "127.0.0.1:8008", s.postern, "127.0.0.1:8010", homeserver)
}

// launch runs a proxy with one of the page's files, in which some words are replaced, and gives its URL.
func launch(t *testing.T, program, kind, ending string, output *safe.Buffer, replace ...string) (url string) {
	t.Helper()
	folder, port := t.TempDir(), strconv.Itoa(process.FreePort(t))
	certificate(t, folder)
	url = "https://127.0.0.1:" + port
	name := map[string]string{"nginx": "nginx%s.conf", "caddy": "Caddyfile%s"}[kind]
	text := read(t, "../../../docs/proxy/"+fmt.Sprintf(name, ending))
	text = strings.NewReplacer(replace...).Replace(text)
	var args []string
	config := filepath.Join(folder, "config")
	if kind == "nginx" {
		text = nginx(t, text, folder, port)
		args = []string{"-p", folder, "-c", config, "-e", "stderr", "-g",
			"daemon off; master_process off; pid " + folder + "/pid;"}
	} else {
		text = strings.Replace(text, "example.org, example.org:8448 {", url+" {\n\ttls "+folder+"/fullchain.pem "+
			folder+"/privkey.pem\n", 1)
		text = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text
		args = []string{"run", "--adapter", "caddyfile", "--config", config}
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 2400 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			return url
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not come up:\n%s", kind, output)
	return ""
}

// nginx puts the page's server into a whole configuration, as Debian's /etc/nginx/nginx.conf does.
func nginx(t *testing.T, text, folder, port string) string {
	t.Helper()
	text = strings.NewReplacer("listen 443 ssl", "listen 127.0.0.1:"+port+" ssl", "listen 8448 ssl",
		fmt.Sprintf("listen 127.0.0.1:%d ssl", process.FreePort(t)),
		"/etc/letsencrypt/live/example.org/", folder+"/", "server_name example.org", "server_name _").Replace(text)
	return "events {}\nhttp {\naccess_log off;\nclient_body_temp_path " + folder + "/body;\nproxy_temp_path " + folder +
		"/proxy;\nfastcgi_temp_path " + folder +
		"/f;\nuwsgi_temp_path " + folder + "/u;\nscgi_temp_path " + folder + "/s;\n" + text + "}\n"
}

// certificate writes the pair that net/http/httptest has.
func certificate(t *testing.T, folder string) {
	t.Helper()
	made := httptest.NewUnstartedServer(nil)
	made.StartTLS()
	defer made.Close()
	pair := made.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"fullchain.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"privkey.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
