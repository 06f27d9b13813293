package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/homeserver/delegation"
)

// synapseSide asks Synapse as Postern does, for an account that there hardly is: whether there is one does not matter.
func (x *examination) synapseSide(ctx context.Context) {
	url := x.homeserverURL()
	if url == "" {
		return // a finding about listeners says so
	}
	a := ask(ctx, http.MethodGet, url+"/_synapse/mas/query_user?localpart=postern-doctor", x.secret, "")
	switch {
	case a.status == 0:
		x.problemOnceDelegated("Synapse does not answer on "+url, "start it; why it does not start, its log says")
	case x.delegated:
		x.delegatedSynapse(url, a)
	default:
		x.standaloneSynapse(url, a)
	}
	x.clock(a.date)
}

// homeserverURL is where Postern finds Synapse; empty if there is no such listener.
func (x *examination) homeserverURL() string {
	return homeserverURL(x.Synapse, x.Homeserver)
}

func homeserverURL(c *delegation.Config, given string) string {
	if upstream := c.Upstream(); given == "" && upstream != nil {
		return "http://" + upstream.Address()
	}
	return strings.TrimSuffix(given, "/")
}

const restart = "systemctl restart matrix-synapse"

// delegatedSynapse is for a Synapse whose configuration leaves the accounts to Postern.
func (x *examination) delegatedSynapse(url string, a answer) {
	path := x.Synapse.Delegation().SecretPath
	switch {
	case a.obeyed():
		x.synapseObeys = true
		x.ok("Postern → Synapse: %s takes the secret", url)
	case a.status == http.StatusForbidden && x.secret != "":
		x.problem("Postern → Synapse: "+url+" runs with another secret than its configuration says", restart)
	case a.status == http.StatusInternalServerError && path != "":
		x.problem("Postern → Synapse: "+url+" fails when it looks at the secret; most likely its user may not read "+
			path, "chown that file to the user that Synapse runs as; if it is not that, Synapse's log says what")
	case a.code == "M_UNRECOGNIZED":
		x.problem("Synapse on "+url+" runs without delegation still", restart)
	case x.secret != "":
		x.problem(fmt.Sprintf("Postern → Synapse: %s answers %d %s", url, a.status, cmp.Or(a.code, "-")),
			"see whether that is Synapse, and what its log says")
	}
}

// standaloneSynapse is for a Synapse whose configuration says that it has the accounts itself.
func (x *examination) standaloneSynapse(url string, a answer) {
	refused := a.status == http.StatusForbidden || a.status == http.StatusUnauthorized
	if a.code != "M_UNRECOGNIZED" && (a.obeyed() || refused) {
		x.warn("Synapse on "+url+" runs with delegation still, and its configuration has none", restart)
	} else {
		x.ok("Synapse answers on %s", url)
	}
}

// obeyed reports whether Synapse looked the account up.
func (a answer) obeyed() bool { return a.status == http.StatusOK || a.code == "M_NOT_FOUND" }

// clock compares the clocks of both sides, which send each other the times at which tokens expire.
func (x *examination) clock(theirs time.Time) {
	if theirs.IsZero() {
		return
	}
	if off := theirs.Sub(x.Now()).Abs().Round(time.Second); off > 5*time.Second {
		x.problemOnceDelegated(fmt.Sprintf("the clocks of this machine and of Synapse's differ by %s", off),
			"let both follow the same time server")
	} else {
		x.ok("the clocks agree")
	}
}

// posternSide asks Postern as Synapse does, and where Synapse does.
func (x *examination) posternSide(ctx context.Context) {
	if !x.delegated {
		return
	}
	d := x.Synapse.Delegation()
	endpoint := strings.TrimSuffix(d.Endpoint, "/")
	const fix = "start Postern with --internal-listen for that address; `postern synapse setup` shows the command"
	a := ask(ctx, http.MethodGet, endpoint+"/.well-known/openid-configuration", "", "")
	switch {
	case a.status == 0:
		x.problem("Synapse → Postern: nobody answers on "+endpoint+", so Synapse takes no token", fix)
		return
	case !a.isDiscovery():
		x.problem(fmt.Sprintf("Synapse → Postern: %s/.well-known/openid-configuration answers %d and not what "+
			"Synapse needs", endpoint, a.status), fix)
		return
	}
	a = ask(ctx, http.MethodPost, endpoint+"/oauth2/introspect", x.secret, "token=postern-doctor")
	switch inactive := bytes.Contains(bytes.ReplaceAll(a.body, []byte(" "), nil), []byte(`"active":false`)); {
	case a.status == http.StatusOK && inactive:
		x.posternAnswers = true
		x.ok("Synapse → Postern: %s takes the secret", endpoint)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		x.problem("Synapse → Postern: "+endpoint+" runs with another secret than Synapse's",
			"restart Postern with --homeserver-secret-file "+d.SecretPath)
	default:
		x.problem(fmt.Sprintf("Synapse → Postern: %s/oauth2/introspect answers %d", endpoint, a.status), fix)
	}
}

// isDiscovery reports whether an answer is the document with which Synapse begins.
func (a answer) isDiscovery() bool {
	var document struct {
		Issuer  string
		Account string `json:"account_management_uri"`
	}
	err := json.Unmarshal(a.body, &document)
	return a.status == http.StatusOK && err == nil && document.Issuer != "" && document.Account != ""
}
