package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/homeserver/delegation"
)

// listeners tells where Synapse answers, and whether Postern finds room.
func (d *doctor) listeners(ctx context.Context) {
	d.section("listeners")
	behind := d.config.Behind()
	for _, l := range d.config.Listeners() {
		at := fmt.Sprintf("%s:%d: %s", l.File, l.Line, l)
		chosen := behind != nil && l.Line == behind.Line && l.File == behind.File
		switch {
		case l.Type != "http" || !l.Client():
			d.ok("%s", at)
		case chosen && !l.Loopback():
			d.warn(at+": clients from outside reach it past Postern",
				"`postern synapse setup` binds it to 127.0.0.1; or keep it from them with a firewall, and give "+
					"--keep-listener")
		case chosen && !l.XForwarded:
			d.trouble(at+": x_forwarded is not set, so Synapse takes Postern's address for everybody's",
				"`postern synapse setup` sets it")
		case chosen:
			d.ok("%s: Postern's way to Synapse", at)
		default:
			d.warn(at+": clients reach it past Postern", "take \"client\" out of its names, or bind it to 127.0.0.1")
		}
	}
	if behind == nil {
		d.problem("no listener of Synapse answers clients on a port without TLS, and Postern speaks no TLS",
			"add one: port 8010, type http, bind_addresses ['127.0.0.1'], x_forwarded true, resources client and "+
				"federation; and let a proxy end TLS in front of Postern")
		return
	}
	d.room(ctx, behind)
}

// room looks at --listen, which must not be Synapse's.
func (d *doctor) room(ctx context.Context, behind *delegation.Listener) {
	_, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		d.problem(fmt.Sprintf("--listen %q is not an address and port", d.Listen), "write it like 127.0.0.1:8008")
		return
	}
	used := dial(d.Listen)
	switch {
	case port == strconv.Itoa(behind.Port):
		d.trouble(fmt.Sprintf("port %s is Synapse's, and Postern's --listen too", port),
			fmt.Sprintf("`postern synapse setup --synapse-port %d` moves Synapse, so that Postern takes over; or "+
				"give Postern another --listen", behind.Port+2))
	case d.moved && !used:
		d.problem("nobody listens on "+d.Listen+", where Postern should",
			"start Postern; if it listens elsewhere, give --listen")
	case d.moved && !d.atPostern(ctx):
		d.problem("somebody listens on "+d.Listen+" where Postern should, and it is not Postern",
			"stop it, or give --listen if Postern is elsewhere; if it is Synapse, not restarted since setup: stop "+
				"that, start Postern, then Synapse")
	case d.moved:
		d.ok("%s: Postern listens", d.Listen)
	case used:
		d.warn("somebody listens on "+d.Listen+" already, and it is not Synapse's configured port",
			"stop it, or give Postern another --listen")
	default:
		d.ok("%s: free for Postern", d.Listen)
	}
}

// asker makes the doctor's few requests: short, without a proxy of the environment, and never beyond where they were
// sent.
var asker = http.Client{
	Timeout:       5 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// reply is an answer; status 0: there was none.
type reply struct {
	status int
	code   string
	body   []byte
	date   time.Time
}

// ask sends JSON or a form, whichever the body is.
func ask(ctx context.Context, method, at, secret, body string) reply {
	request, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return reply{}
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	request.Header.Set("Content-Type", kind)
	response, err := asker.Do(request)
	if err != nil {
		return reply{}
	}
	defer response.Body.Close()
	r := reply{status: response.StatusCode}
	r.body, _ = io.ReadAll(io.LimitReader(response.Body, 64<<10))
	r.date, _ = http.ParseTime(response.Header.Get("Date"))
	var refusal struct{ Errcode string }
	_ = json.Unmarshal(r.body, &refusal)
	r.code = refusal.Errcode
	return r
}

// sides asks each side as the other one would.
func (d *doctor) sides(ctx context.Context) {
	d.section("both sides")
	d.synapseSide(ctx)
	d.posternSide(ctx)
	d.bridges(ctx)
}

// synapseSide asks for an account that there hardly is: whether there is one does not matter.
func (d *doctor) synapseSide(ctx context.Context) {
	at := strings.TrimSuffix(d.Homeserver, "/")
	if behind := d.config.Behind(); at == "" && behind != nil {
		at = "http://" + behind.Address()
	}
	if at == "" {
		return // told already
	}
	const restart = "systemctl restart matrix-synapse"
	r := ask(ctx, http.MethodGet, at+"/_synapse/mas/query_user?localpart=postern-doctor", d.secret, "")
	switch known := r.status == http.StatusOK || r.code == "M_NOT_FOUND"; {
	case r.status == 0:
		d.trouble("Synapse does not answer on "+at, "start it; why it does not start, its log says")
		return
	case d.moved && known:
		d.ok("Postern → Synapse: %s takes the secret", at)
	case d.moved && r.status == http.StatusForbidden && d.secret != "":
		d.problem("Postern → Synapse: "+at+" runs with another secret than its configuration says", restart)
	case d.moved && r.status == http.StatusInternalServerError && d.config.Delegation().SecretPath != "":
		d.problem("Postern → Synapse: "+at+" fails when it looks at the secret; most likely its user may not read "+
			d.config.Delegation().SecretPath,
			"chown that file to the user that Synapse runs as; if it is not that, Synapse's log says what")
	case d.moved && r.code == "M_UNRECOGNIZED":
		d.problem("Synapse on "+at+" runs without delegation still", restart)
	case d.moved && d.secret != "":
		d.problem(fmt.Sprintf("Postern → Synapse: %s answers %d %s", at, r.status, printable(r.code)),
			"see whether that is Synapse, and what its log says")
	case !d.moved && r.code != "M_UNRECOGNIZED" &&
		(known || r.status == http.StatusForbidden || r.status == http.StatusUnauthorized):
		d.warn("Synapse on "+at+" runs with delegation still, and its configuration has none", restart)
	case !d.moved:
		d.ok("Synapse answers on %s", at)
	}
	d.clock(r.date)
}

// clock compares: tokens and expiries are told from one side to the other.
func (d *doctor) clock(theirs time.Time) {
	if theirs.IsZero() {
		return
	}
	if off := theirs.Sub(d.now()).Abs().Round(time.Second); off > 5*time.Second {
		d.trouble(fmt.Sprintf("the clocks of this machine and of Synapse's differ by %s", off),
			"let both follow the same time server")
	} else {
		d.ok("the clocks agree")
	}
}

// posternSide asks where Synapse asks.
func (d *doctor) posternSide(ctx context.Context) {
	endpoint := strings.TrimSuffix(d.config.Delegation().Endpoint, "/")
	if !d.moved {
		return
	}
	const fix = "start Postern with --internal-listen for that address; `postern synapse setup` shows the command"
	r := ask(ctx, http.MethodGet, endpoint+"/.well-known/openid-configuration", "", "")
	var document struct {
		Issuer  string
		Account string `json:"account_management_uri"`
	}
	switch err := json.Unmarshal(r.body, &document); {
	case r.status == 0:
		d.problem("Synapse → Postern: nobody answers on "+endpoint+", so Synapse takes no token", fix)
		return
	case r.status != http.StatusOK || err != nil || document.Issuer == "" || document.Account == "":
		d.problem(fmt.Sprintf("Synapse → Postern: %s/.well-known/openid-configuration answers %d and not what "+
			"Synapse needs", endpoint, r.status), fix)
		return
	}
	r = ask(ctx, http.MethodPost, endpoint+"/oauth2/introspect", d.secret, "token=postern-doctor")
	switch inactive := bytes.Contains(bytes.ReplaceAll(r.body, []byte(" "), nil), []byte(`"active":false`)); {
	case r.status == http.StatusOK && inactive:
		d.ok("Synapse → Postern: %s takes the secret", endpoint)
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		d.problem("Synapse → Postern: "+endpoint+" runs with another secret than Synapse's",
			"restart Postern with --homeserver-secret-file "+d.config.Delegation().SecretPath)
	default:
		d.problem(fmt.Sprintf("Synapse → Postern: %s/oauth2/introspect answers %d", endpoint, r.status), fix)
	}
}
