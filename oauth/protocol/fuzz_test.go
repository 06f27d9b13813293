package protocol

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// browserHost is the scheme and host, without the port, that a browser reads in an address: the parser of the WHATWG's
// URL Standard, sections 4.4 (its states up to the host) and 3.5, in the fewest words. Net/url reads many addresses in
// another way; a redirect URI on which they disagree leads elsewhere than it says.
func browserHost(text string) (scheme, host string) {
	text = strings.Trim(text, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16"+
		"\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f ")
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, found := strings.Cut(text, ":")
	if scheme = strings.ToLower(scheme); !found {
		return "", ""
	}
	special := scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss" || scheme == "ftp"
	ends := "/?#"
	if special {
		ends = `/\?#`
		rest = strings.TrimLeft(rest, `/\`) // however many
	} else if rest, found = strings.CutPrefix(rest, "//"); !found {
		return scheme, "" // a path
	}
	if i := strings.IndexAny(rest, ends); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "]") {
		rest = rest[:i]
	}
	if decoded, err := url.PathUnescape(rest); special && err == nil {
		rest = decoded
	}
	return scheme, strings.ToLower(rest)
}

// TestBrowserHost holds it against what browsers do, as the examples of the URL Standard and its test suite have it.
func TestBrowserHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://example.com/cb":                "https example.com",
		" \thttps://example.com":                "https example.com",
		"https:\\\\evil.org\\@example.com/":     "https evil.org",
		"https://evil.org\\@example.com/":       "https evil.org",
		"https:example.com/":                    "https example.com",
		"https:////example.com/":                "https example.com",
		"ht\ntps://exa\tmple.com/":              "https example.com",
		"https://example.com@evil.org/":         "https evil.org",
		"https://example.com:x@y@evil.org:1/":   "https evil.org",
		"https://exAMPle%2ecom:443?@evil.org":   "https example.com",
		"https://[::1]:8080/":                   "https [::1]",
		"com.example:/cb":                       "com.example ",
		"com.example:cb@evil.org":               "com.example ",
		"com.example://evil.org\\@b.org/x":      "com.example b.org",
		"https://example.com#@evil.org/":        "https example.com",
		"https://example.com\\.evil.org/":       "https example.com",
		"javascript:alert(1)":                   "javascript ",
		"https://example.com\r\n.evil.org/x?y#": "https example.com.evil.org",
	} {
		if scheme, host := browserHost(text); scheme+" "+host != want {
			t.Errorf("%q: %q %q, want %q", text, scheme, host, want)
		}
	}
}

// tricks are addresses that look like another one.
var tricks = []string{
	"https://app.example.com/cb", "https://app.example.com/cb/", "https://app.example.com/cb?x",
	"HTTPS://app.example.com/cb", "https://app.example.com/cb#x", "https://app.example.com/cb\t",
	"https://app.example.com\t/cb", "https://app.example.com/cb\n", "https://app.example.com\\@evil.org/cb",
	"https://evil.org\\@app.example.com/cb", "https:\\\\app.example.com/cb", "https:app.example.com/cb",
	"https:///app.example.com/cb", "https://app.example.com@evil.org/cb", "https://a:b@app.example.com/cb",
	"https://app.example.com:443/cb", "https://app.example.com:8443/cb", "https://app.example.com./cb",
	"https://app.example.com.evil.org/cb", "https://evilapp.example.com/cb", "https://app%2eexample.com/cb",
	"https://app.example.com/../cb", "https://app.example.com/%63b", "https://APP.example.com/cb",
	"https://аpp.example.com/cb", "https://xn--pp-6kc.example.com/cb", "https://app。example。com/cb",
	"https://app.example.com%00.evil.org/cb", "https://app.example.com/cb%0d%0aLocation:x", "https://[::1]/cb",
	"//app.example.com/cb", "javascript:alert(1)//app.example.com/cb", "data:text/html,https://app.example.com/cb",
	"http://app.example.com/cb", "com.example.app:/cb", "com.example.app:///cb", "com.example.app://evil.org/cb",
	"com.example.app:\\\\evil.org/cb", "COM.EXAMPLE.APP:/cb", "com.example.app:/cb/../x", "http://127.0.0.1/cb",
	"http://127.0.0.1:1/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:/cb",
	"http://127.0.0.1:1@evil.org/cb", "http://127.0.0.1:1\\@evil.org/cb", "http://evil.org\\@127.0.0.1:1/cb",
	"http://127.0.0.1:1#@evil.org/cb", "http://127.0.0.1.evil.org:1/cb", "http://127.1:1/cb",
	"http://2130706433:1/cb", "http://0x7f.0.0.1:1/cb", "http://localhost:1/cb", "http://LOCALHOST:1/cb",
	"http://localhost.:1/cb", "http://[::1]:1/cb", "http://[::1]:1@evil.org/cb", "http://[0:0:0:0:0:0:0:1]:1/cb",
	"http://[::1%25lo]:1/cb", "http:127.0.0.1:1/cb",
}

// FuzzRedirects registers one redirect URI and asks for another: whatever is registered leads where client_uri says it
// may, and whatever matches leads where the registered one does; for this server and for browsers.
func FuzzRedirects(f *testing.F) {
	for _, asked := range tricks {
		f.Add("https://app.example.com/cb", asked)
		f.Add("http://127.0.0.1/cb", asked)
		f.Add("http://[::1]/cb", asked)
		f.Add("com.example.app:/cb", asked)
		f.Add(asked, asked)
	}
	f.Fuzz(func(t *testing.T, uri, asked string) {
		for _, kind := range []ApplicationType{Web, Native} {
			c, refused := Register(Client{URI: "https://app.example.com", ApplicationType: kind,
				RedirectURIs: []string{uri}}, Rules{})
			if refused != nil {
				continue
			}
			leads(t, kind, uri)
			if !c.Redirects(asked) {
				continue
			}
			scheme, host := browserHost(asked)
			wantScheme, wantHost := browserHost(uri)
			u, err := url.Parse(asked)
			if err != nil || host != wantHost || scheme != wantScheme || bare(u.Host) != host || u.Scheme != scheme {
				t.Errorf("%q is good for %q: %v %v; a browser goes to %q %q", asked, uri, u, err, scheme, host)
			}
			without := strings.TrimSuffix(u.Host, ":"+u.Port())
			if asked != uri && (!loops(host) || strings.Replace(asked, u.Host, without, 1) != uri) {
				t.Errorf("%q is good for %q, and differs by more than the port of a loopback address", asked, uri)
			}
		}
	})
}

// leads wants a registered redirect URI to lead to the client's own host, or to stay on the device.
func leads(t *testing.T, kind ApplicationType, uri string) {
	t.Helper()
	scheme, host := browserHost(uri)
	switch {
	case scheme == "https" && (host == "app.example.com" || strings.HasSuffix(host, ".app.example.com")):
	case kind == Native && scheme == "http" && loops(host):
	case kind == Native && host == "" && (scheme == "com.example.app" || strings.HasPrefix(scheme, "com.example.app.")):
	default:
		t.Errorf("%s %q was registered, and a browser goes to %q %q", kind, uri, scheme, host)
	}
}

func loops(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// bare is a host without its port.
func bare(host string) string {
	if i := strings.LastIndex(host, ":"); i > strings.LastIndex(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(host)
}

// FuzzAuthorization reads any request: an answer leads to the redirect URI and nowhere else, is one line, and says who
// answers and what the client said.
func FuzzAuthorization(f *testing.F) {
	client := registered(f, elementX)
	web := registered(f, elementWeb)
	for _, redirect := range append([]string{"io.element.android:/", web.RedirectURIs[0]}, tricks...) {
		f.Add(request("client_id", client.ID(), "redirect_uri", redirect).Encode())
		f.Add(request("client_id", web.ID(), "redirect_uri", redirect, "response_mode", "query").Encode())
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		a, err := ParseAuthorization(q, func(id string) (*Client, error) {
			return map[string]*Client{client.ID(): client, web.ID(): web}[id], nil
		})
		if a == nil {
			return
		}
		var refused *Error
		if err != nil {
			refused = &Error{Code: InvalidRequest, Description: printable(err.Error())}
		}
		to := a.Answer("https://h.example/", "CODE", refused)
		rest, kept := strings.CutPrefix(to, a.RedirectURI)
		answer, err := url.ParseQuery(strings.TrimLeft(rest, "?#&"))
		if !kept || err != nil || strings.ContainsAny(to, "\r\n\t \\") || answer.Get("iss") != "https://h.example/" ||
			answer.Get("state") != a.State || answer.Has("code") == answer.Has("error") {
			t.Errorf("%q is answered at %q: %v %v", text, to, answer, err)
		}
		scheme, host := browserHost(to)
		if wantScheme, wantHost := browserHost(a.RedirectURI); scheme != wantScheme || host != wantHost {
			t.Errorf("%q is answered at %q, and a browser goes to %q %q", text, to, scheme, host)
		}
	})
}
