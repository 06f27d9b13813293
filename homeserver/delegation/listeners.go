package delegation

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Listener is where Synapse answers.
type Listener struct {
	File       string
	Line       int
	Type       string // http, metrics, manhole
	Port       int
	Socket     string   // the path of a socket, and then no port
	Bind       []string // addresses
	TLS        bool
	XForwarded bool
	Resources  []string

	node *yaml.Node
}

// Listeners reads them (synapse/config/server.py, parse_listener_def).
func (c *Config) Listeners() (all []Listener) {
	e, there := c.top["listeners"]
	if !there || e.value.Kind != yaml.SequenceNode {
		return nil
	}
	for _, n := range e.value.Content {
		m, ok := understand(n).(map[string]any)
		if !ok {
			continue
		}
		l := Listener{File: e.file.path, Line: n.Line, TLS: truthy(m["tls"]), node: n}
		l.Type, _ = m["type"].(string)
		l.Socket, _ = m["path"].(string)
		port, _ := m["port"].(int64)
		l.Port = int(port)
		l.XForwarded = truthy(withDefault(m, "x_forwarded", l.Socket != ""))
		for _, a := range append(list(m["bind_addresses"]), m["bind_address"]) {
			if s, ok := a.(string); ok && s != "" {
				l.Bind = append(l.Bind, s)
			}
		}
		if len(l.Bind) == 0 && l.Socket == "" {
			l.Bind = []string{"::", "0.0.0.0"}
		}
		for _, r := range list(m["resources"]) {
			for _, name := range list(mapping(r)["names"]) {
				l.Resources = append(l.Resources, fmt.Sprint(name))
			}
		}
		all = append(all, l)
	}
	return all
}

// Client reports whether clients are answered there.
func (l Listener) Client() bool { return l.Type == "http" && slices.Contains(l.Resources, "client") }

// Loopback reports whether only this machine reaches it.
func (l Listener) Loopback() bool {
	return l.Socket != "" || !slices.ContainsFunc(l.Bind, func(a string) bool {
		ip := net.ParseIP(a)
		return a != "localhost" && (ip == nil || !ip.IsLoopback())
	})
}

// Address is where this machine reaches it.
func (l Listener) Address() string {
	host := "127.0.0.1"
	if n := len(l.Bind); n > 0 && !slices.ContainsFunc(l.Bind,
		func(a string) bool { return a == host || a == "0.0.0.0" || a == "localhost" }) {
		if host = l.Bind[0]; host == "::" {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(l.Port))
}

// String describes it.
func (l Listener) String() string {
	at := l.Socket
	if at == "" {
		at = fmt.Sprintf("%s port %d", strings.Join(l.Bind, " "), l.Port)
	}
	text := l.Type + " on " + at
	if l.TLS {
		text += ", TLS"
	}
	if len(l.Resources) > 0 {
		text += ", " + strings.Join(l.Resources, "+")
	}
	return text
}

// Upstream is the listener that Postern is a reverse proxy for: the first one for clients without TLS, or nil.
func (c *Config) Upstream() *Listener {
	for _, l := range c.Listeners() {
		if l.Client() && !l.TLS && l.Port != 0 {
			return &l
		}
	}
	return nil
}

// guardListener lets only this machine reach the listener that Postern is a reverse proxy for, and lets Synapse take
// clients' addresses from Postern.
func (c *Config) guardListener(o Options, of func(*file) *edit) {
	l := c.Upstream()
	if l == nil || l.Loopback() && l.XForwarded && (o.Port == 0 || o.Port == l.Port) {
		return
	}
	top := c.top["listeners"]
	e := of(top.file)
	if l.node.Kind != yaml.MappingNode {
		e.refuse(l.node, "this listener is an alias of another")
		return
	}
	m := c.wanted(e, l)
	port := in(l.node, "port")
	if port == nil {
		e.refuse(l.node, "the port of this listener comes from a merge (<<)")
		return
	}
	if o.Port != 0 && o.Port != l.Port {
		e.set(port, strconv.Itoa(o.Port))
		m["port"] = int64(o.Port)
	}
	if !l.XForwarded {
		e.give(l.node, port, "x_forwarded", "true")
		m["x_forwarded"] = true
	}
	if !l.Loopback() {
		e.bind(l.node, port, m)
	}
}

// wanted is the listener among the values that the file shall have.
func (c *Config) wanted(e *edit, l *Listener) map[string]any {
	for i, n := range c.top["listeners"].value.Content {
		if n == l.node {
			return mapping(list(e.want["listeners"])[i])
		}
	}
	return map[string]any{} // unreachable
}

// give sets a key of a mapping that may not have it yet, beside one that it has.
func (e *edit) give(m, beside *yaml.Node, key, value string) {
	if n := in(m, key); n != nil {
		e.set(n, value)
		return
	}
	_, to, ok := e.token(beside)
	switch {
	case !ok:
		e.refuse(beside, "the value here is not written plainly")
	case m.Style&yaml.FlowStyle != 0:
		e.swaps[beside.Line-1] = append(e.swaps[beside.Line-1], swap{to, to, ", " + key + ": " + value})
	default:
		e.after(beside, indent(m)+key+": "+value)
	}
}

// bind lets a listener listen on loopback alone.
func (e *edit) bind(l, port *yaml.Node, want map[string]any) {
	const address = "127.0.0.1"
	if single := in(l, "bind_address"); single != nil {
		e.set(single, address)
		want["bind_address"] = address
		if in(l, "bind_addresses") == nil {
			return
		}
	}
	want["bind_addresses"] = []any{address}
	switch n := in(l, "bind_addresses"); {
	case n == nil:
		e.give(l, port, "bind_addresses", "['"+address+"']")
	case n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle == 0:
		for _, item := range n.Content {
			e.gone[item.Line-1] = true
		}
		e.after(n.Content[len(n.Content)-1], indent(n)+"- '"+address+"'")
	case n.Kind == yaml.SequenceNode:
		line := e.lines[n.Line-1]
		from := column(line, n.Column)
		to := len(line) // a list that goes on below: result refuses what comes of it
		if length := strings.IndexByte(line[from:], ']'); length >= 0 {
			to = from + length + 1
		}
		e.swaps[n.Line-1] = append(e.swaps[n.Line-1], swap{from, to, "['" + address + "']"})
	default:
		e.refuse(n, "bind_addresses is not a list")
	}
}

// indent is the white space before a node that begins its line.
func indent(n *yaml.Node) string { return strings.Repeat(" ", n.Column-1) }
