package cli

import (
	"strings"
	"testing"
)

// TestUserEmail: an operator gives an account mail addresses and takes them away while the server runs. An address is
// one account's, and whose it is the operator reads.
func TestUserEmail(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("secret", "user", "add", "bob", "--password-stdin")
	if out := i.must("", "user", "email", "alice", "list", "--format", "json"); out != "[]\n" {
		t.Errorf("without an address it prints %q", out)
	}
	out := i.must("", "user", "email", "@alice:localhost", "add", "Alice@Example.org")
	if out != "@alice:localhost has the mail address alice@example.org\n" {
		t.Errorf("add prints %q", out)
	}
	i.must("", "user", "email", "alice", "add", "alice@example.org") // again
	if out := i.must("", "user", "email", "alice", "list"); strings.Count(out, "alice@example.org") != 1 ||
		!strings.Contains(out, "CONFIRMED") {
		t.Errorf("list prints\n%s", out)
	}
	if out := i.must("", "user", "email", "alice", "list", "--format", "json"); !strings.Contains(out,
		`{"address":"alice@example.org","validated_ts":`) {
		t.Errorf("list prints\n%s", out)
	}
	i.refused("alice has alice@example.org; if it is not theirs, `postern user email alice remove alice@example.org`",
		"user", "email", "bob", "add", "ALICE@example.org")
	i.refused("it is not a mail address", "user", "email", "bob", "add", "alice")
	i.refused("there is no account", "user", "email", "nobody", "add", "n@example.org")
	i.refused("there is no account", "user", "email", "nobody", "list")
	i.refused("there is no account", "user", "email", "nobody", "remove", "n@example.org")
	i.refused("or add ADDRESS", "user", "email", "bob", "add")
	i.refused("or add ADDRESS", "user", "email", "bob", "list", "bob@example.org")
	i.refused("`postern user email bob list`", "user", "email", "bob", "remove", "alice@example.org")
	if out := i.must("", "user", "email", "alice", "remove", "ALICE@example.org"); out !=
		"removed from @alice:localhost: alice@example.org\n" {
		t.Errorf("remove prints %q", out)
	}
	i.must("", "user", "email", "bob", "add", "alice@example.org")
	i.must("", "user", "deactivate", "bob")
	i.refused("the account is deactivated", "user", "email", "bob", "add", "bob@example.org")
	i.must("", "user", "email", "alice", "add", "alice@example.org") // it is free again
	events := i.must("", "session", "events")
	for _, kind := range []string{"email_added", "email_removed"} {
		if !strings.Contains(events, kind) {
			t.Errorf("the events lack %s:\n%s", kind, events)
		}
	}
	if out := i.must("", "user", "deactivate", "--help"); !strings.Contains(out, "mail addresses are removed") {
		t.Errorf("help prints\n%s", out)
	}
}
