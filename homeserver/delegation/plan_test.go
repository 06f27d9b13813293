package delegation

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDatabaseURL: the arguments of Python's driver mean the same to a PostgreSQL client in Go.
func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	url := Database{Args: map[string]string{"user": "a b", "password": "p&=?", "database": "d",
		"host": "/run/x", "cp_max": "10"}}.URL()
	if url != "postgres:///?dbname=d&host=%2Frun%2Fx&password=p%26%3D%3F&user=a+b" {
		t.Error(url)
	}
}

// TestAddresses: where Postern listens for clients, and where it finds Synapse.
func TestAddresses(t *testing.T) {
	t.Parallel()
	listener := func(bind string) string {
		return "server_name: a.org\nlisteners:\n  - port: 8008\n    type: http\n    bind_addresses: " + bind +
			"\n    resources: [{names: [client]}]\n"
	}
	for _, test := range []struct {
		name, text, clients, upstream string
		port                          int
		keep                          bool
	}{
		{"no listener", "server_name: a.org\n", "127.0.0.1:8008", "127.0.0.1:8010", 0, false},
		{"Synapse keeps its port", listener("['127.0.0.1']"), "127.0.0.1:8010", "127.0.0.1:8008", 0, false},
		{"Synapse moves", listener("['::1', '127.0.0.1']"), "127.0.0.1:8008", "127.0.0.1:8020", 8020, false},
		{"it was open to others", listener("['0.0.0.0']"), ":8008", "127.0.0.1:8020", 8020, false},
		{"IPv6 alone", listener("['::1']"), "127.0.0.1:8010", "[::1]:8008", 0, false},
		{"IPv6 is open to others, and stays so", listener("['2001:db8::1']"), "127.0.0.1:8010",
			"[2001:db8::1]:8008", 0, true},
	} {
		plan, err := read(t, test.text).Setup(Options{Endpoint: options.Endpoint, Port: test.port,
			KeepListener: test.keep, Now: options.Now})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if plan.Clients != test.clients || plan.Upstream != test.upstream {
			t.Errorf("%s: %s and %s", test.name, plan.Clients, plan.Upstream)
		}
	}
}

// TestApply makes the secrets, keeps the copy and writes the file; a second time there is nothing to do.
func TestApply(t *testing.T) {
	t.Parallel()
	c := read(t, "server_name: a.org\npassword_config: {pepper: hush}\n")
	o := options
	o.SecretPath = ""
	plan, err := c.Setup(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.Paths()[0])
	steps, err := plan.Apply()
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{{"made", filepath.Join(dir, "postern-secret")}, {"made", filepath.Join(dir, "postern-pepper")},
		{"kept", c.Paths()[0] + kept}, {"wrote", c.Paths()[0]}}
	if !slices.Equal(steps, want) {
		t.Errorf("%v, not %v", steps, want)
	}
	if text, err := os.ReadFile(plan.PepperFile); err != nil || string(text) != "hush\n" {
		t.Errorf("%q %v", text, err)
	}
	if secret, err := ReadSecret(plan.SecretFile); err != nil || len(secret) != 64 {
		t.Errorf("%d characters, %v", len(secret), err)
	}
	again, err := Read(c.Paths())
	if err != nil {
		t.Fatal(err)
	}
	if plan, err = again.Setup(o); err != nil || len(plan.Changes) > 0 {
		t.Fatalf("%v %v", plan, err)
	}
	if steps, err := plan.Apply(); err != nil || len(steps) > 0 {
		t.Errorf("%v %v", steps, err)
	}
}

// TestReadSecrets: what cannot be sent, or is empty, is refused; spaces around the secret are nobody's.
func TestReadSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for text, words := range map[string]string{"": "is empty", " \n": "is empty", "a b": "printable ASCII",
		"ä": "printable ASCII", " hush\r\n": ""} {
		put(t, path, text, 0o600)
		secret, err := ReadSecret(path)
		if words == "" && (err != nil || secret != "hush") ||
			words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%q: %q %v", text, secret, err)
		}
	}
	for text, want := range map[string]string{"a b\r\n": "a b", " x": " x", "\n": ""} {
		put(t, path, text, 0o600)
		if pepper, err := ReadPepper(path); pepper != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", text, pepper, err)
		}
	}
}
