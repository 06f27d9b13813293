package replicas

import (
	"strings"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/process"
)

// crew is who uses the replicas.
var crew = fleet.Config{Current: 24, Draft: 8, OAuth: 8}

// TestRotation makes a new root key and retires the old one while the replicas work. Each of them knows a key before it
// meets a token that was made with it; no request fails.
func TestRotation(t *testing.T) {
	h := newReplicas(t, 3)
	n := h.under(crew, func() {
		for range *rounds {
			old := h.minting()
			h.command("", "keys", "rotate")
			h.retire(old)
		}
	})
	if n.Unavailable+n.Broken > 0 {
		t.Errorf("requests failed while keys were rotated: %+v", n)
	}
}

// minting is the number of the root key that mints.
func (h *replicas) minting() string {
	h.Helper()
	key := process.MintingKey(h.command("", "keys", "list"))
	if key == "" {
		h.Fatal("no root key mints")
	}
	return key
}

// retire retires a key as soon as no session needs it any more, which takes a refresh of each.
func (h *replicas) retire(key string) {
	h.Helper()
	for range 600 {
		out, err := h.site.Command(h.Context(), "", "keys", "retire", key)
		if err == nil {
			return
		}
		if !strings.Contains(out, "would have to log in again") {
			h.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.Fatalf("sessions stay on root key %s:\n%s", key, h.command("", "keys", "list"))
}

// TestReplicaKilled kills one replica after the other by SIGKILL under load and starts it again. Connections break;
// nobody is logged out.
func TestReplicaKilled(t *testing.T) {
	h := newReplicas(t, 3)
	patient := crew
	patient.Patient = true
	n := h.under(patient, func() {
		for round := range *rounds {
			at := round % len(h.servers)
			h.must(h.servers[at].Kill())
			time.Sleep(50 * time.Millisecond)
			h.servers[at] = h.serve()
			h.proxy.serve(t, h.servers)
			time.Sleep(100 * time.Millisecond)
		}
	})
	if n.Broken == 0 {
		t.Error("nobody noticed that replicas were killed")
	}
	if n.Spent > n.Lost {
		t.Errorf("more clients had to log in again than answers were lost: %+v", n)
	}
	if n.Unavailable > 0 {
		t.Errorf("the other replicas could not go on: %+v", n)
	}
}
