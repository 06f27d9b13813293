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
		l.XForwarded = truthy(or(m, "x_forwarded", l.Socket != ""))
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
