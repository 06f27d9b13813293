package cli

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateOff = flag.Bool("update-off", false, "rewrite testdata/oauth_off.txt")

// whereOAuthIs are the paths that somebody who looks for the OAuth 2.0 API asks, and their neighbours.
var whereOAuthIs = []string{
	"/_matrix/client/versions",
	"/_matrix/client/v3/login",
	"/_matrix/client/v3/capabilities",
	"/_matrix/client/v1/auth_metadata",
	"/_matrix/client/v3/auth_metadata",
	"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
	"/_matrix/client/unstable/org.matrix.msc2965/auth_issuer",
	"/_matrix/client/v1/auth_issuer",
	"/_matrix/client/v3/login/sso/redirect",
	"/_matrix/client/v3/login/sso/redirect/oauth",
	"/_matrix/client/v1/rendezvous",
	"/_matrix/client/unstable/org.matrix.msc4108/rendezvous",
	"/_matrix/client/unstable/org.matrix.msc4108/rendezvous/abc",
	"/_matrix/client/unstable/io.element.msc4388/rendezvous",
	"/_matrix/client/unstable/io.element.msc4388/rendezvous/abc",
	"/.well-known/matrix/client",
	"/.well-known/openid-configuration",
	"/.well-known/oauth-authorization-server",
	"/oauth2/registration",
	"/oauth2/authorize",
	"/oauth2/token",
	"/oauth2/revoke",
	"/oauth2/device_authorization",
	"/oauth2/device",
	"/oauth2/introspect",
	"/oauth2/",
	"/account",
	"/account/devices",
	"/register",
	"/",
}

// TestOAuthOff: without the OAuth 2.0 API every answer is what it was before there was one, to the byte.
// testdata/oauth_off.txt was written by the last program that had it off by default.
func TestOAuthOff(t *testing.T) {
	t.Parallel()
	const golden = "cli/testdata/oauth_off.txt"
	public := []string{"--oauth", "off", "--public-url", "https://example.org"}
	var all bytes.Buffer
	newInstallation(t).serve().interrogate(&all, "alone")
	newInstallation(t).serve(public...).interrogate(&all, "alone, with --public-url")
	newInstallation(t).behind(silent).interrogate(&all, "in front of a homeserver")
	newInstallation(t).behind(silent, public...).interrogate(&all, "in front of a homeserver, with --public-url")
	if *updateOff {
		if err := os.WriteFile(golden, all.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(text(t, golden), all.String()); diff != "" {
		t.Errorf("with --oauth off something is answered in another way:\n%s", diff)
	}
}

// silent is a homeserver of which only that it was asked can be seen.
func silent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintln(w, "The homeserver answers.")
}

// interrogate writes the answers to everything that concerns the OAuth 2.0 API, each below the requests that get it.
func (s *server) interrogate(out io.Writer, setting string) {
	s.Helper()
	var answers []string
	questions := make(map[string]string)
	for _, path := range whereOAuthIs {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
			answer := strings.ReplaceAll(s.raw(method, path), strings.TrimPrefix(s.url, "http://"), "HOST")
			if questions[answer] == "" {
				answers = append(answers, answer)
			}
			questions[answer] += "> " + method + " " + path + "\n"
		}
	}
	fmt.Fprintf(out, "==== %s ====\n", setting)
	for _, answer := range answers {
		fmt.Fprintf(out, "%s%s\n", questions[answer], answer)
	}
}

// raw is the whole answer, but for its time and that the connection ends.
func (s *server) raw(method, path string) string {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	res.Header.Del("Date")
	res.Header.Del("Connection")
	text := bytes.NewBufferString(res.Status + "\n")
	_ = res.Header.Write(text) // to memory
	text.WriteString("\n")
	if _, err := io.Copy(text, res.Body); err != nil {
		s.Fatal(err)
	}
	return strings.ReplaceAll(text.String(), "\r\n", "\n") + "\n"
}
