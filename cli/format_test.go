package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/getkin/kin-openapi/openapi3"

	"postern/db"
	"postern/gen/admin"
	"postern/homeserver/outbox"
	"postern/mail"
)

// lists are the commands that list something, with what they need to find it.
func lists(t *testing.T) (all [][]string) {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Vars{"version": "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		if !strings.HasPrefix(leaf.Help, "List ") && !strings.HasPrefix(leaf.Help, "Show the audit events") {
			continue
		}
		i := slices.IndexFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "format" })
		if i < 0 || leaf.Flags[i].Enum != "table,json" || leaf.Flags[i].Default != "table" {
			t.Errorf("%s has no --format", leaf.FullPath())
		}
		if !strings.Contains(leaf.Detail, "--format json") {
			t.Errorf("the help of %s has no example with --format json", leaf.FullPath())
		}
		command := strings.Fields(leaf.FullPath())[1:]
		if leaf.Name == "factors" || leaf.Name == "email" {
			command = append(command, "alice", "list")
		}
		all = append(all, command)
	}
	return all
}

// TestListsInJSON: each command that lists something does so in JSON, with the same rows as for people, and with the
// objects of the admin API's contract where that has them.
func TestListsInJSON(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	shapes := map[string]string{"user list": "Account", "user list --waiting": "Signup", "session list": "Session",
		"session events": "Event", "invite list": "Invitation", "user factors alice list": "Factor",
		"user email alice list": "Email"}
	spec, err := admin.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	commands := append(lists(t), []string{"user", "list", "--waiting"})
	if len(commands) < 8 {
		t.Fatalf("only %q list something", commands)
	}
	i.must("secret", "user", "add", "bob", "--password-stdin")
	for _, command := range commands { // while there is little
		if name := strings.Join(command, " "); !strings.HasSuffix(name, " alice list") {
			i.inJSON(command, spec.Components.Schemas[shapes[name]])
		}
	}
	i.fill()
	for _, command := range commands {
		name := strings.Join(command, " ")
		rows := i.inJSON(command, spec.Components.Schemas[shapes[name]])
		people := strings.Count(strings.TrimSpace(i.must("", command...)), "\n")
		if name == "user list" {
			people-- // who waits is no account yet
		}
		if len(rows) == 0 || len(rows) != people {
			t.Errorf("%s has %d rows in JSON and %d for people", name, len(rows), people)
		}
	}
	for _, format := range []string{"table", "json"} {
		out := i.must("", "user", "list", "--waiting", "--format", format)
		if !strings.Contains(out, "carol@example.org") {
			t.Errorf("the address that somebody who waits has shown is missing:\n%s", out)
		}
	}
	all := i.inJSON([]string{"session", "events", "--kind", "invited", "--kind", "locked"}, nil)
	if len(all) != 2 || all[0]["kind"] == all[1]["kind"] {
		t.Errorf("the events of two kinds are %v", all)
	}
	if out := i.must("", "session", "list", "alice", "--format", "json"); strings.ContainsAny(out,
		"\u202e\u009b\x7f") ||
		!strings.Contains(out, `"display_name":"a\u202eb\u009bc\u007f\udb40\udc01"`) {
		t.Errorf("a name controls the terminal: %q", out)
	}
}

// TestListCutShort: a list that fails in the middle is no JSON that could be taken for the whole of it.
func TestListCutShort(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.fill()
	i.must("secret", "user", "add", "bob", "--password-stdin")
	for _, command := range [][]string{{"user", "list"}, {"session", "list"}, {"session", "list", "alice"},
		{"session", "events"}} {
		out := &failing{at: 2}
		err := run(t.Context(), world{Program: built(), stdout: out, stderr: t.Output(),
			getenv: func(string) string { return "" }}, append(command, "--format", "json", "--db", i.db))
		if !errors.Is(err, errFull) || json.Valid(out.out.Bytes()) {
			t.Errorf("%s: %v, and wrote %q", command, err, out.out.String())
		}
	}
}

// failing is a writer of which one write fails, and those behind it do not.
type failing struct {
	out bytes.Buffer
	at  int
}

var errFull = errors.New("no space left")

func (f *failing) Write(b []byte) (int, error) {
	if f.at--; f.at == 0 {
		return 0, errFull
	}
	return f.out.Write(b)
}

// inJSON runs a command, and holds each of its rows against a schema.
func (i *installation) inJSON(command []string, schema *openapi3.SchemaRef) (rows []map[string]any) {
	i.Helper()
	out := i.must("", append(command, "--format", "json")...)
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		i.Errorf("%s: %v in\n%s", command, err, out)
	}
	for _, row := range rows {
		if schema == nil || row["kind"] == db.FactorRecovery {
			continue
		}
		if err := schema.Value.VisitJSON(row); err != nil {
			i.Errorf("%s: %v in %v", command, err, row)
		}
		for name := range row {
			if schema.Value.Properties[name] == nil {
				i.Errorf("%s: the contract has no %s", command, name)
			}
		}
	}
	return rows
}

// fill puts something into every list.
func (i *installation) fill() {
	i.Helper()
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("", "user", "lock", "alice")
	i.must("", "user", "unlock", "alice")
	i.must("", "user", "email", "alice", "add", "alice@example.org")
	i.must("", "invite", "add")
	i.must("", "token", "issue", "alice", "--name", "Bell", "--expires", "never", "method in GET")
	i.must("", "client", "add", "--uri", "https://bot.example.org", "--redirect", "https://bot.example.org/cb")
	key, err := strconv.ParseInt(i.newestKey(), 10, 64)
	if err != nil {
		i.Fatal(err)
	}
	i.queue(func(q *outbox.Queue) error { return i.fillIn(q.DB, key) })
}

func (i *installation) fillIn(d *db.DB, key int64) error {
	now := time.Now()
	_, err0 := mail.Enable(i.Context(), d, true) // or `mail list` says that nobody sends what waits
	_, err := d.Register(i.Context(), db.Registration{Localpart: "carol", PasswordHash: "hash", At: now, Waits: true,
		Email: db.Email{Address: "carol@example.org", Localpart: "carol", Validated: now, Added: now}})
	alice, err1 := d.User(i.Context(), "alice")
	_, err2 := d.StartSession(i.Context(), db.Login{ID: "one", Localpart: "alice", PasswordHash: alice.PasswordHash,
		DeviceID: "A", DisplayName: "a\u202eb\u009bc\x7f\U000e0001", At: now, KeyID: key})
	err3 := d.AddFactor(i.Context(), db.Factor{ID: "key", Localpart: "alice", Kind: db.FactorPasskey, Name: "Phone",
		Sealed: []byte("x"), Created: now}, "", []db.Factor{{ID: "r", Localpart: "alice", Kind: db.FactorRecovery,
		Sealed: []byte("x")}})
	err4 := d.Deliver(i.Context(), db.Delivery{ID: "x", Kind: "test", Target: "mailto:alice@example.org",
		Localpart: "alice", Sealed: []byte("{}"), Created: now, Expires: now.Add(time.Hour), Due: now})
	return errors.Join(err0, err, err1, err2, err3, err4, d.WriteFor(i.Context(), "alice", func(t *db.Tx) error {
		return outbox.Add(t, "alice", "A")
	}))
}
