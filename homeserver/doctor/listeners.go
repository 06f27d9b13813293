package doctor

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"postern/homeserver/delegation"
)

// listeners looks at where Synapse answers, and whether Postern finds room.
func (x *examination) listeners(ctx context.Context) {
	upstream := x.Synapse.Upstream()
	for _, l := range x.Synapse.Listeners() {
		x.listener(l, upstream != nil && l.Line == upstream.Line && l.File == upstream.File)
	}
	if upstream == nil {
		x.problem("no listener of Synapse answers clients on a port without TLS, and Postern speaks no TLS",
			"add one: port 8010, type http, bind_addresses ['127.0.0.1'], x_forwarded true, resources client and "+
				"federation; and let a proxy end TLS in front of Postern")
		return
	}
	x.listenAddress(ctx, upstream)
}

// listener looks at one of Synapse's.
func (x *examination) listener(l delegation.Listener, isUpstream bool) {
	text := fmt.Sprintf("%s:%d: %s", l.File, l.Line, l)
	switch {
	case l.Type != "http" || !l.Client():
		x.ok("%s", text)
	case isUpstream && !l.Loopback():
		x.warn(text+": clients from outside reach it past Postern",
			"`postern synapse setup` binds it to 127.0.0.1; or keep it from them with a firewall, and give "+
				"--keep-listener")
	case isUpstream && !l.XForwarded:
		x.problemOnceDelegated(text+": x_forwarded is not set, so Synapse takes Postern's address for everybody's",
			"`postern synapse setup` sets it")
	case isUpstream:
		x.ok("%s: Postern's way to Synapse", text)
	default:
		x.warn(text+": clients reach it past Postern", "take \"client\" out of its names, or bind it to 127.0.0.1")
	}
}

// listenAddress looks at Postern's --listen, which must not be Synapse's.
func (x *examination) listenAddress(ctx context.Context, upstream *delegation.Listener) {
	_, port, err := net.SplitHostPort(x.Listen)
	if err != nil {
		x.problem(fmt.Sprintf("--listen %q is not an address and port", x.Listen), "write it like 127.0.0.1:8008")
		return
	}
	used := listens(x.Listen)
	switch {
	case port == strconv.Itoa(upstream.Port):
		x.problemOnceDelegated(fmt.Sprintf("port %s is Synapse's, and Postern's --listen too", port),
			fmt.Sprintf("`postern synapse setup --synapse-port %d` moves Synapse, so that Postern takes over; or "+
				"give Postern another --listen", upstream.Port+2))
	case x.delegated && !used:
		x.problem("nobody listens on "+x.Listen+", where Postern should",
			"start Postern; if it listens elsewhere, give --listen")
	case x.delegated && !x.posternListens(ctx):
		x.problem("somebody listens on "+x.Listen+" where Postern should, and it is not Postern",
			"stop it, or give --listen if Postern is elsewhere; if it is Synapse, not restarted since setup: stop "+
				"that, start Postern, then Synapse")
	case x.delegated:
		x.ok("%s: Postern listens", x.Listen)
	case used:
		x.warn("somebody listens on "+x.Listen+" already, and it is not Synapse's configured port",
			"stop it, or give Postern another --listen")
	default:
		x.ok("%s: free for Postern", x.Listen)
	}
}
