package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/postgres"
)

// member is one server of the cluster: a PostgreSQL, and the Patroni that runs it.
type member struct {
	testing.TB
	name    string
	folder  string
	as      *syscall.SysProcAttr
	command string // Patroni's
	config  string
	patroni *program

	port, api string // where PostgreSQL and Patroni's REST API listen
	// All connections lead through one of these: of clients, of the other servers, to the API, and to etcd.
	clients, peers, asks, etcd *relay
}

// newMember makes a server and starts it.
func newMember(t testing.TB, o *options, name, etcd string, synchronous bool) *member {
	t.Helper()
	m := &member{TB: t, name: name, folder: folder(t, name), command: filepath.Join(o.patroni, "patroni"),
		port: freePort(t), api: freePort(t)}
	m.as = postgres.Owner(t, m.folder)
	m.clients, m.peers, m.asks = newRelay(t, m.port), newRelay(t, m.port), newRelay(t, m.api)
	m.etcd = newRelay(t, etcd)
	config, err := json.Marshal(m.configuration(postgres.Programs(t), synchronous)) // which YAML contains
	if err != nil {
		t.Fatal(err)
	}
	m.config = write(t, m.folder, "patroni.yml", "%s", config)
	t.Cleanup(m.killPostgres) // after Patroni, which would start it again
	m.start()
	return m
}

// configuration is Patroni's own example, on other ports, and with the relays in between.
func (m *member) configuration(programs string, synchronous bool) map[string]any {
	type section = map[string]any
	user := section{"username": "postgres"}
	return section{
		"scope": "postern", "name": m.name,
		"restapi": section{"listen": "127.0.0.1:" + m.api, "connect_address": m.asks.address()},
		"etcd3":   section{"host": m.etcd.address(), "use_proxies": true},
		"bootstrap": section{
			"dcs": section{"ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 1 << 20,
				"synchronous_mode": synchronous, "postgresql": section{"use_pg_rewind": true,
					"pg_hba": []string{"local all all trust", "host all all 127.0.0.1/32 trust",
						"host replication all 127.0.0.1/32 trust"},
					"parameters": section{"max_connections": 100, "wal_log_hints": "on"}}},
			"initdb": []any{section{"encoding": "UTF8"}, "data-checksums", section{"auth": "trust"}},
		},
		"postgresql": section{
			"listen": "127.0.0.1:" + m.port, "connect_address": m.peers.address(), "bin_dir": programs,
			"data_dir": m.data(), "pgpass": filepath.Join(m.folder, "pgpass"),
			"authentication": section{"superuser": user, "replication": user, "rewind": user},
			"parameters":     section{"unix_socket_directories": m.folder},
		},
	}
}

func (m *member) data() string { return filepath.Join(m.folder, "data") }

func (m *member) start() { m.patroni = start(m, m.folder, m.as, m.command, m.config) }

// postgres is the process of the server; 0: there is none.
func (m *member) postgres() int {
	text, err := os.ReadFile(filepath.Join(m.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(command), m.data()) {
		return 0 // of one that was killed
	}
	return pid
}

// processes are those of the server, its own first.
func (m *member) processes() []int {
	pid := m.postgres()
	if pid == 0 {
		return nil
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return []int{pid}
	}
	all := []int{pid}
	for _, word := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(word); err == nil {
			all = append(all, child)
		}
	}
	return all
}

func (m *member) signalPostgres(signal syscall.Signal) {
	for _, pid := range m.processes() {
		_ = syscall.Kill(pid, signal) // one that is gone meanwhile needs none
	}
}

// killPostgres kills the server and waits until it is gone.
func (m *member) killPostgres() {
	all := m.processes()
	m.signalPostgres(syscall.SIGKILL)
	for _, pid := range all {
		for range 600 {
			if syscall.Kill(pid, 0) != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (m *member) kill() {
	m.patroni.kill()
	m.killPostgres()
}

func (m *member) freeze() {
	m.patroni.tell(m, syscall.SIGSTOP)
	m.signalPostgres(syscall.SIGSTOP)
}

// relays are what its network is.
func (m *member) relays() []*relay { return []*relay{m.clients, m.peers, m.asks, m.etcd} }
