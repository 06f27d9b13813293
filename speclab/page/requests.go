package page

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// serveRequests answers with the request log, to this page and to programs that reach the server. The page of another
// site gets nothing, whatever name it has for this machine.
func (c Config) serveRequests(w http.ResponseWriter, r *http.Request) {
	why := ""
	switch {
	case !sameOrigin(r):
		why = "The page of another site may not ask this."
	case !c.ownName(r.Host):
		why = "Requests are shown only at an address such as 127.0.0.1, at localhost, or at the host of " +
			"--public-url: a name of another site's could lead here too."
	}
	if why != "" {
		writeJSON(w, http.StatusForbidden, map[string]*fault{"error": {Message: why}})
		return
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("after")) // 0 is all
	writeJSON(w, http.StatusOK, json.RawMessage(c.Requests(after)))
}

// ownName reports whether a host is one that no other site can point at this machine.
func (c Config) ownName(host string) bool {
	host = strings.ToLower((&url.URL{Host: host}).Hostname())
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	public, err := url.Parse(c.PublicURL)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || // RFC 6761, section 6.3
		err == nil && host != "" && host == strings.ToLower(public.Hostname())
}
