// This program is a server of its own, which takes Postern's access tokens. See docs/lesson-homeserver.md.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"postern/tokens"
)

const (
	whoami     = "http://127.0.0.1:8008/_matrix/client/v3/account/whoami" // of Postern
	serverName = "localhost"
	short      = 5 * time.Minute
)

func main() {
	ring, err := rootKeys(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		client, _ := netip.ParseAddrPort(r.RemoteAddr) // one that cannot be read satisfies no caveat
		claims, err := tokens.Verify(token, serverName, ring, tokens.Access, tokens.Caveats(), tokens.Request{
			Now: time.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Addr: client.Addr(),
		})
		var caveat *tokens.CaveatError
		switch {
		case errors.As(err, &caveat) && caveat.OfRequest():
			http.Error(w, `{"errcode":"M_FORBIDDEN","error":"The token is for other requests."}`, http.StatusForbidden)
			return
		case err != nil:
			http.Error(w, `{"errcode":"M_UNKNOWN_TOKEN","error":"The token is not good."}`, http.StatusUnauthorized)
			return
		case claims.Expires.IsZero() || time.Until(claims.Expires) > short:
			if status, answer := ask(token); status != http.StatusOK {
				http.Error(w, answer, status)
				return
			}
		}
		fmt.Fprintf(w, "%s may %s %s\n", claims.UserID, r.Method, r.URL.Path)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8119", nil))
}

// ask has Postern say whether a token that lasts is still good: only Postern knows whether its session has ended.
func ask(token string) (status int, answer string) {
	r, _ := http.NewRequest("GET", whoami, nil) // the URL is a constant
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := http.DefaultClient.Do(r)
	if err != nil { // which says nothing of the token: with a 401 its client would forget its session
		return http.StatusServiceUnavailable, `{"errcode":"M_UNKNOWN","error":"Postern is away."}`
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, strings.TrimSpace(string(text))
}
