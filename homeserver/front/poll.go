package front

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// since is the token after which a client waits for news; "" if the request is no such long poll, but asks for state or
// for what there is now. Client-Server API v1.19, "Syncing".
func (s *stream) since() string {
	if s.client.Method != http.MethodGet || s.op.Path != "/_matrix/client/v3/sync" {
		return ""
	}
	query, err := url.ParseQuery(strings.TrimPrefix(s.query, "?"))
	if err != nil || query.Get("full_state") == "true" {
		return ""
	}
	if timeout, err := strconv.Atoi(query.Get("timeout")); err != nil || timeout <= 0 {
		return ""
	}
	return query.Get("since")
}

// noNews ends a long poll without an error, as if its time were over: there is nothing new since then. The client asks
// again at once, and whoever answers it then has all that came meanwhile; an error would make it wait some seconds.
func noNews(w http.ResponseWriter, since string) {
	answer(w, http.StatusOK, map[string]string{"next_batch": since})
}
