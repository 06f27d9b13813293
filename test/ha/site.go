package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"postern/test/rig/fleet"
	"postern/test/rig/process"
)

const (
	user     = "alice"
	password = "correct horse battery staple"
)

// site is everything.
type site struct {
	testing.TB
	options  *options
	members  []*member
	replicas []*process.Server
	url      string // nginx
}

func newSite(t testing.TB, o *options, synchronous bool) *site {
	t.Helper()
	s := &site{TB: t, options: o}
	etcd := s.etcd()
	for i := range 3 {
		s.members = append(s.members, newMember(t, o, fmt.Sprint("server", i), etcd, synchronous))
	}
	s.whole()
	site := process.Site{Binary: o.binary, Database: s.database(), Key: filepath.Join(folder(t, "key"), "postern.key")}
	if _, err := site.Command(t.Context(), password, "user", "add", user, "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		server, err := site.Serve(context.WithoutCancel(t.Context()), fleet.ServeFlags...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Kill() })
		s.replicas = append(s.replicas, server)
	}
	s.url = s.nginx()
	return s
}

// etcd starts it and gives its port.
func (s *site) etcd() (port string) {
	dir, port, peer := folder(s, "etcd"), freePort(s), freePort(s)
	p := start(s, dir, nil, "/usr/bin/etcd", "--data-dir", filepath.Join(dir, "data"),
		"--listen-client-urls", "http://127.0.0.1:"+port, "--advertise-client-urls", "http://127.0.0.1:"+port,
		"--listen-peer-urls", "http://127.0.0.1:"+peer, "--initial-advertise-peer-urls", "http://127.0.0.1:"+peer,
		"--initial-cluster", "default=http://127.0.0.1:"+peer)
	p.listening(s, port)
	return port
}

// database makes one with an owner of its own and gives the DSN.
func (s *site) database() string {
	where := "host=127.0.0.1&port="
	if s.options.direct {
		var hosts, ports []string
		for _, m := range s.members {
			hosts, ports = append(hosts, "127.0.0.1"), append(ports, m.clients.port)
		}
		where = "target_session_attrs=read-write&host=" + strings.Join(hosts, ",") + "&port=" + strings.Join(ports, ",")
	} else {
		where += s.haproxy()
	}
	d, err := sql.Open("pgx", "postgres:///postgres?user=postgres&"+where)
	if err != nil {
		s.Fatal(err)
	}
	defer d.Close()
	d.SetMaxIdleConns(-1) // the next one may be led elsewhere
	for range 300 {       // HAProxy does not know yet who leads
		if _, err = d.ExecContext(s.Context(), `CREATE ROLE postern LOGIN`); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := d.ExecContext(s.Context(), `CREATE DATABASE postern OWNER postern`); err != nil {
		s.Fatal(err)
	}
	for _, m := range s.members {
		m.waitFor("postern")
	}
	return "postgres:///postern?user=postern&" + where
}

// waitFor waits until a server has a database, as a standby does a moment later.
func (m *member) waitFor(database string) {
	d, err := sql.Open("pgx", "postgres:///"+database+"?user=postgres&host=127.0.0.1&port="+m.clients.port)
	if err != nil {
		m.Fatal(err)
	}
	defer d.Close()
	for range 300 {
		if err = d.PingContext(m.Context()); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.Fatal(err)
}

// haproxy is as Patroni's documentation has it. It gives its port.
func (s *site) haproxy() (port string) {
	dir, port := folder(s, "haproxy"), freePort(s)
	var servers strings.Builder
	for _, m := range s.members {
		fmt.Fprintf(&servers, "  server %s %s check port %s\n", m.name, m.clients.address(), m.asks.port)
	}
	p := start(s, dir, nil, "/usr/sbin/haproxy", "-db", "-f", write(s, dir, "haproxy.cfg", `defaults
  mode tcp
  retries 2
  timeout client 30m
  timeout connect 4s
  timeout server 30m
  timeout check 5s
listen postgres
  bind 127.0.0.1:%s
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 3s fall 3 rise 2 on-marked-down shutdown-sessions
%s`, port, &servers))
	p.listening(s, port)
	return port
}

// nginx gives its address.
func (s *site) nginx() (url string) {
	dir, port := folder(s, "nginx"), freePort(s)
	var servers, paths strings.Builder
	for _, replica := range s.replicas {
		fmt.Fprintf(&servers, "server %s;\n", replica.Address)
	}
	for _, path := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&paths, "%s_temp_path %s/%s;\n", path, dir, path)
	}
	config := write(s, dir, "nginx.conf", `events {}
http {
access_log off;
%supstream postern {
%skeepalive 32;
}
server {
listen 127.0.0.1:%s;
location / {
proxy_pass http://postern;
proxy_http_version 1.1;
proxy_set_header Connection "";
}
}
}
`, &paths, &servers, port)
	p := start(s, dir, nil, "/usr/sbin/nginx", "-p", dir, "-c", config, "-e", "stderr", "-g",
		"daemon off; master_process off; pid "+dir+"/pid;")
	p.listening(s, port)
	return "http://127.0.0.1:" + port
}

// leader asks every Patroni that can be asked whether it leads; nil: none does.
func (s *site) leader() *member {
	for _, m := range s.members {
		if status, _ := m.ask("/primary"); status == http.StatusOK {
			return m
		}
	}
	return nil
}

// ask asks a Patroni, by the network.
func (m *member) ask(path string) (status int, answer map[string]any) {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://" + m.asks.address() + path)
	if err != nil {
		return 0, nil
	}
	defer r.Body.Close()
	_ = json.NewDecoder(r.Body).Decode(&answer)
	return r.StatusCode, answer
}

// whole waits until one server leads and the others follow it.
func (s *site) whole() {
	s.Helper()
	for range 1200 {
		if m := s.leader(); m != nil && m.followed() {
			return
		}
		select {
		case <-s.Context().Done():
			s.Fatal(s.Context().Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	var logs strings.Builder
	for _, m := range s.members {
		fmt.Fprintf(&logs, "%s:\n%s", m.name, m.patroni.end())
	}
	s.Fatalf("the cluster does not come up\n%s", &logs)
}

// followed reports whether two servers stream from this one, and one synchronously if that is wanted.
func (m *member) followed() bool {
	_, answer := m.ask("/cluster")
	members, _ := answer["members"].([]any)
	streaming := 0
	for _, entry := range members {
		if follower, _ := entry.(map[string]any); follower["state"] == "streaming" {
			streaming++
		}
	}
	return streaming == 2
}
