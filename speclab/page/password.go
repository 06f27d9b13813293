package page

import (
	"net"
	"net/http"
	"net/url"
)

// servePassword answers with the password of the account that `serve --dev` made, if there is one, to a browser on this
// machine that has the page open under this machine's own name. Everybody else gets an empty object: other machines,
// whoever comes by a reverse proxy, and a site that points its name here.
func servePassword(password string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]string{}
		if password != "" && fromHere(r) {
			answer["password"] = password
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

// forwarding are the headers by which reverse proxies tell that they are some.
var forwarding = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}

// fromHere reports whether a request comes from this machine and was meant for it.
func fromHere(r *http.Request) bool {
	for _, name := range forwarding {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && sameOrigin(r) && loopback(client) && loopback((&url.URL{Host: r.Host}).Hostname())
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
