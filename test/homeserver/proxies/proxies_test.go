// Package proxies runs Debian's nginx and Caddy with the very files that docs/reverse-proxy.md shows, in front of the
// real binary and a homeserver that writes down what it is sent. Only host names, ports and certificates are put in
// their place.
//
// Where there is no nginx or no Caddy the test is skipped, and with TEST_PROXIES=off; with TEST_PROXIES=required it
// fails.
package proxies

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/handlers"
	"postern/test/rig/delegated"
	"postern/test/rig/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// TestPageShowsTheFiles: what is shown is what is tested.
func TestPageShowsTheFiles(t *testing.T) {
	t.Parallel()
	page := read(t, "../../../docs/reverse-proxy.md")
	for _, name := range []string{"nginx.conf", "nginx-split.conf", "Caddyfile", "Caddyfile-split",
		"nginx-replicas.conf", "Caddyfile-replicas"} {
		if !strings.Contains(page, "](proxy/"+name+"):\n\n```") ||
			!strings.Contains(page, "\n"+read(t, "../../../docs/proxy/"+name)+"```\n") {
			t.Errorf("docs/reverse-proxy.md does not show docs/proxy/%s as it is", name)
		}
	}
}

// TestSplitKnowsEveryOperation: what Postern implements is sent to Postern, by both files alike.
func TestSplitKnowsEveryOperation(t *testing.T) {
	t.Parallel()
	nginx, caddy := read(t, "../../../docs/proxy/nginx-split.conf"), read(t, "../../../docs/proxy/Caddyfile-split")
	var ours []*regexp.Regexp
	for _, text := range []string{`\^/_matrix/client/\(api.*\$\)`, `\^/\(oauth2/.*\$`} {
		route := regexp.MustCompile(text)
		pattern := strings.TrimSuffix(route.FindString(nginx), "\"")
		if other := route.FindString(caddy); pattern == "" || pattern != other {
			t.Fatalf("nginx has\n%s\nand Caddy\n%s", pattern, other)
		}
		ours = append(ours, regexp.MustCompile(pattern))
	}
	// which both servers have a part in
	ours = append(ours, regexp.MustCompile(`^/(\.well-known/matrix/client|_matrix/client/versions)$`))
	sent := func(path string) bool {
		return slices.ContainsFunc(ours, func(r *regexp.Regexp) bool { return r.MatchString(path) })
	}
	paths := regexp.MustCompile(`(?m)^  (/\S*):$`).FindAllStringSubmatch(read(t, "../../../api/login.yaml"), -1)
	if len(paths) < 30 {
		t.Fatalf("the contract has %d paths", len(paths))
	}
	all := handlers.PagePaths
	for _, path := range paths {
		all = append(all, path[1])
	}
	for _, path := range all {
		if !sent(path) {
			t.Errorf("%s is not sent to Postern", path)
		}
	}
	for _, path := range []string{"/_matrix/client/v3/sync", "/_matrix/client/v3/loginx",
		"/_matrix/client/v3/keys/upload", "/_matrix/client/v3/rooms/login", "/_matrix/client/v3/account/3pids",
		"/.well-known/matrix/server", "/accounts", "/registered", "/oauth2"} {
		if sent(path) {
			t.Errorf("%s is sent to Postern", path)
		}
	}
}

// TestProxies: a client's day through each proxy, and what must not pass.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"nginx", "caddy"} {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s split=%t", kind, split), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, kind, split)
				s.day(t)
				s.signsIn(t)
				s.leadsBack(t)
				s.refusesMail(t)
				s.passes(t)
				s.closed(t)
			})
		}
	}
}

// day is login, whoami, devices, refresh and logout, by the paths of today and of long ago.
func (s *site) day(t *testing.T) {
	for _, release := range []string{"r0", "v3"} {
		base := "/_matrix/client/" + release
		status, pair := s.ask(t, "POST", base+"/login", "",
			`{"type":"m.login.password","user":"alice","password":"a long password","device_id":"PHONE","refresh_token":true}`)
		if status != http.StatusOK {
			t.Fatalf("%s: login answers %d %v", release, status, pair)
		}
		access, _ := pair["access_token"].(string)
		refresh, _ := pair["refresh_token"].(string)
		if status, who := s.ask(t, "GET", base+"/account/whoami", access, ""); status != http.StatusOK ||
			who["device_id"] != "PHONE" {
			t.Errorf("%s: whoami answers %d %v", release, status, who)
		}
		if status, d := s.ask(t, "GET", base+"/devices/PHONE", access, ""); status != http.StatusOK ||
			d["last_seen_ip"] != clientAddress {
			t.Errorf("%s: the device is %d %v, and the client came from %s", release, status, d, clientAddress)
		}
		status, pair = s.ask(t, "POST", base+"/refresh", "", `{"refresh_token":"`+refresh+`"}`)
		if status != http.StatusOK {
			t.Fatalf("%s: refresh answers %d %v", release, status, pair)
		}
		access, _ = pair["access_token"].(string)
		if status, capabilities := s.ask(t, "GET", base+"/capabilities", access, ""); status != http.StatusOK {
			t.Errorf("%s: capabilities answer %d %v", release, status, capabilities)
		}
		if status, answer := s.ask(t, "POST", base+"/logout", access, "{}"); status != http.StatusOK {
			t.Errorf("%s: logout answers %d %v", release, status, answer)
		}
		if status, answer := s.ask(t, "GET", base+"/account/whoami", access, ""); status != http.StatusUnauthorized {
			t.Errorf("%s: after the logout whoami answers %d %v", release, status, answer)
		}
	}
}

// signsIn is the day of a client of the OAuth 2.0 API: metadata, registration, the pages with their cookie, code,
// refresh and revocation.
func (s *site) signsIn(t *testing.T) {
	for path, field := range map[string]string{
		"/_matrix/client/v1/auth_metadata": "issuer", "/.well-known/openid-configuration": "token_endpoint",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata": "issuer",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_issuer":   "issuer",
		"/.well-known/oauth-authorization-server":                   "issuer",
	} {
		if status, answer := s.ask(t, "GET", path, "", ""); status != http.StatusOK ||
			!strings.HasPrefix(fmt.Sprint(answer[field]), publicURL+"/") {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	client := process.NewClientBy(s.client.Transport)
	id, err := client.RegisterOAuth(t.Context(), s.url)
	must(t, err)
	code, err := client.Authorize(t.Context(), s.url, process.Consent{Client: id, Device: "BROWSER001", User: "alice",
		Password: delegated.Password})
	must(t, err)
	pair, err := client.Redeem(t.Context(), s.url, id, code)
	must(t, err)
	pair, err = client.RefreshOAuth(t.Context(), s.url, id, pair.Refresh)
	must(t, err)
	if status, who := s.ask(t, "GET", "/_matrix/client/v3/devices/BROWSER001", pair.Access,
		""); status != http.StatusOK || who["last_seen_ip"] != clientAddress {
		t.Errorf("the device is %d %v, and the client came from %s", status, who, clientAddress)
	}
	must(t, client.Revoke(t.Context(), s.url, id, pair.Access))
	if status, answer := s.ask(t, "GET", "/_matrix/client/v3/account/whoami", pair.Access,
		""); status != http.StatusUnauthorized {
		t.Errorf("after the revocation whoami answers %d %v", status, answer)
	}
}

// leadsBack: what Postern says to a browser arrives as it was said, also where it leads to an address that the proxy
// might take for Postern's own.
func (s *site) leadsBack(t *testing.T) {
	for _, to := range []string{"http://" + s.postern + "/done", "http://127.0.0.1:8008/",
		"https://example.org/_synapse"} {
		ask := "/_matrix/client/v3/login/sso/redirect?redirectUrl=" + url.QueryEscape(to)
		page := s.fetch(t, s.url+ask).Header.Get("Location")
		if page != publicURL+"/oauth2/sso?redirectUrl="+url.QueryEscape(to) {
			t.Errorf("the page for %s is %s", to, page)
		}
		browser, at := process.NewClientBy(s.client.Transport), s.url+strings.TrimPrefix(page, publicURL)
		code, err := browser.LetIn(t.Context(), at, to, process.Consent{User: "alice", Password: delegated.Password})
		if code != "" || err == nil || !strings.Contains(err.Error(), to+"?loginToken=") {
			t.Errorf("the browser is not sent to %s: %v", to, err)
		}
	}
	page, direct := s.fetch(t, s.url+"/account"), s.fetch(t, "http://"+s.postern+"/account")
	for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "X-Frame-Options", "Cache-Control",
		"Content-Type"} {
		if page.Header.Get(name) != direct.Header.Get(name) || page.StatusCode != direct.StatusCode {
			t.Errorf("%s is %q, and Postern said %q", name, page.Header.Get(name), direct.Header.Get(name))
		}
	}
	cookie, _, _ := strings.Cut(page.Header.Get("Set-Cookie"), "=")
	if own, _, _ := strings.Cut(direct.Header.Get("Set-Cookie"), "="); cookie != own || cookie == "" {
		t.Errorf("the cookie is %q, and Postern's %q", cookie, own)
	}
}

// refusesMail: what needs mail is refused by Postern, since a Synapse that leaves authentication to it has no such
// paths.
func (s *site) refusesMail(t *testing.T) {
	for _, path := range []string{"account/password/email/requestToken", "register/msisdn/requestToken",
		"account/3pid/email/requestToken"} {
		if status, answer := s.ask(t, "POST", "/_matrix/client/v3/"+path, "", "{}"); status != http.StatusBadRequest {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
}

// passes is what the homeserver gets, as it was sent.
func (s *site) passes(t *testing.T) {
	for _, path := range []string{
		"/_matrix/client/v3/sync?since=s1&timeout=0&filter=%7B%22a%22%3A1%7D",
		"/_matrix/client/v3/rooms/%21a%2Fb%3Aexample.org/state/m.room.name/a%20b+c%23d?x=%2F+%2B",
		"/_matrix/client/v3/directory/room/%23caf%C3%A9%3Aexample.org",
		"/_matrix/client/v3/rooms/!a:example.org/send/m.room.message/1//2",
		"/_matrix/client/v3/profile/@login:example.org",
		"/_matrix/federation/v1/version",
		"/_matrix/key/v2/server",
		"/.well-known/matrix/server",
	} {
		if status, seen := s.ask(t, "GET", path, "", ""); status != http.StatusOK || seen["uri"] != path ||
			seen["for"] != clientAddress {
			t.Errorf("%s arrives as %d %v", path, status, seen)
		}
	}
	if status, seen := s.ask(t, "GET", "/.well-known/matrix/client", "", ""); status != http.StatusOK ||
		len(seen) != 1 || seen["m.homeserver"] == nil {
		t.Errorf("clients are led to an OAuth server, or nowhere: %d %v", status, seen)
	}
	large := strings.Repeat("x", 3<<20)
	if status, seen := s.ask(t, "POST", "/_matrix/media/v3/upload?filename=a", "", large); status != http.StatusOK ||
		seen["length"] != float64(len(large)) {
		t.Errorf("an upload arrives as %d %v", status, seen)
	}
}

// closed is what nobody outside may reach, however it is written.
func (s *site) closed(t *testing.T) {
	for _, path := range []string{
		"/_synapse/mas/query_user?localpart=alice", "/_synapse/admin/v2/users",
		"/_synapse/%6das/query_user?localpart=alice", "/_synapse//mas/query_user",
		"/_matrix/../_synapse/mas/query_user?localpart=alice", "/_matrix/%2e%2e/_synapse/mas/query_user",
		"/_synapse/mas/query_user/../../../_matrix/client/versions",
		"/_synapse/admin/v2/users/../../../../_matrix/client/versions", "/./_synapse/mas/query_user",
		"/%5fsynapse/admin/v2/users", "/metrics", "/health", "/account/../_synapse/admin/v2/users",
		"/oauth2/..%2f_synapse/mas/query_user", "/register/../_synapse/mas/query_user",
	} {
		if status, answer := s.ask(t, "GET", path, secret, ""); status == http.StatusOK {
			t.Errorf("%s is open: %v", path, answer)
		}
	}
	for _, call := range s.upstream.outside() {
		t.Errorf("the homeserver was sent %s", call)
	}
}

// ask sends a request through the proxy, with a lie about where it comes from.
func (s *site) ask(t *testing.T, method, path, token, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = path // as it is, with nothing escaped or cleaned
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, s.output)
	}
	defer response.Body.Close()
	answer := make(map[string]any)
	_ = json.NewDecoder(response.Body).Decode(&answer) // a proxy's own words are no JSON
	return response.StatusCode, answer
}

// fetch gives the head of an answer.
func (s *site) fetch(t *testing.T, at string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
	must(t, err)
	response, err := s.client.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	return response
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
