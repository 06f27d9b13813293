package page

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// servePassword answers with the password of the account that `serve --dev` made, if there is one, to a browser on this
// machine that has the page open under this machine's own name. Everybody else gets an empty object: other machines,
// whoever comes by a reverse proxy, and a site that points its name here. A server with a public URL on the network is
// behind a reverse proxy, whose requests may tell nothing of it: nginx, as it comes, writes the address that it calls
// into Host.
func (c Config) servePassword(w http.ResponseWriter, r *http.Request) {
	answer := map[string]string{}
	if c.Password != "" && c.local() && fromHere(r) {
		answer["password"] = c.Password
	}
	writeJSON(w, http.StatusOK, answer)
}

// local reports whether the server has no public URL, or one of this machine.
func (c Config) local() bool {
	public, err := url.Parse(c.PublicURL)
	return c.PublicURL == "" || err == nil && loopback(public.Hostname())
}

// forwarding are the headers by which reverse proxies tell that they are some, beside those that begin X-Forwarded-.
var forwarding = []string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip"}

// fromHere reports whether a request comes from this machine and was meant for it. No browser speaks HTTP/1.0.
func fromHere(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded") || slices.Contains(forwarding, name) {
			return false
		}
	}
	if !r.ProtoAtLeast(1, 1) {
		return false
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && sameOrigin(r) && loopback(client) && loopback((&url.URL{Host: r.Host}).Hostname())
}

func loopback(name string) bool {
	return name == "localhost" || net.ParseIP(name).IsLoopback() // what is no address is none of them
}
