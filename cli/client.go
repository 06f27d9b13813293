package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"postern/db"
	"postern/oauth/protocol"
)

// clientCmds are the commands about clients of the OAuth 2.0 API.
type clientCmds struct {
	Add    clientAdd    `cmd:"" help:"Add a client that stays, and print its id."`
	List   clientList   `cmd:"" help:"List the clients."`
	Remove clientRemove `cmd:"" help:"Remove clients."`
}

type clientAdd struct {
	Name     string   `help:"What people are shown as its name."`
	URI      string   `name:"uri" placeholder:"URL" help:"Its home page; the other addresses must be at the same host or below it."`
	Redirect []string `placeholder:"URL" sep:"none" help:"Where it may send a browser back to; may be repeated."`
	Type     string   `enum:"web,native" default:"web" help:"web, or native: a program on a device, which may use http on the loopback interface and a scheme of its own."`
	Grant    []string `default:"authorization_code,refresh_token" placeholder:"GRANT" help:"Grant types, separated by commas."`
	Metadata string   `placeholder:"FILE" help:"Instead of the other flags: its metadata in JSON, as it registers; - reads standard input."`
}

// Help is shown by 'postern client add --help'.
func (*clientAdd) Help() string {
	return `The id is computed from the metadata. A client that registers with exactly the same metadata gets the
same id, so with --oauth-clients static those who register themselves must be added with what they send;
the server logs that when it refuses one, for --metadata.

Examples:
  postern client add --name 'My bot' --uri https://bot.example.org --redirect https://bot.example.org/callback
  postern client add --name Tool --uri https://tool.example.org --type native --redirect http://127.0.0.1/
  postern client add --metadata element.json`
}

// Run adds the client. A server that runs has it at once.
func (cmd *clientAdd) Run(ctx context.Context, w world, c *common) error {
	wanted, err := cmd.wanted(w)
	if err != nil {
		return err
	}
	client, refused := protocol.Register(wanted, protocol.Rules{Loopback: true}) // whoever runs the server says so
	if refused != nil {
		return errors.New(refused.Description)
	}
	return c.open(ctx, func(d *db.DB) error {
		err := d.AddClient(ctx, client.ID(), client.Metadata(), time.Now())
		if errors.Is(err, db.ErrConflict) {
			return fmt.Errorf("this client was added before, as %s; `postern client list` shows it", client.ID())
		}
		if err == nil {
			fmt.Fprintln(w.stdout, client.ID())
		}
		return err
	})
}

// wanted are the metadata that were asked for.
func (cmd *clientAdd) wanted(w world) (m protocol.Client, err error) {
	given := cmd.Name != "" || cmd.URI != "" || len(cmd.Redirect) > 0
	switch {
	case cmd.Metadata == "" && cmd.URI == "":
		return m, errors.New("name the client with --uri https://… and --redirect, or with --metadata FILE")
	case cmd.Metadata == "":
		return protocol.Client{Name: cmd.Name, URI: cmd.URI, RedirectURIs: cmd.Redirect, GrantTypes: cmd.Grant,
			ApplicationType: protocol.ApplicationType(cmd.Type)}, nil
	case given:
		return m, errors.New("--metadata has everything; leave the other flags out")
	}
	from := w.stdin
	if cmd.Metadata != "-" {
		file, err := os.Open(cmd.Metadata)
		if err != nil {
			return m, err
		}
		defer file.Close()
		from = file
	}
	if err := json.NewDecoder(io.LimitReader(from, maxMetadata)).Decode(&m); err != nil {
		return m, fmt.Errorf("--metadata %s is not the metadata of a client: %w", cmd.Metadata, err)
	}
	return m, nil
}

// maxMetadata is more than any client has.
const maxMetadata = 64 << 10

type clientList struct{ listFlags }

// Help is shown by `postern client list --help`.
func (*clientList) Help() string {
	return `Examples:
  postern client list
  postern client list --format json`
}

// shownClient is a client in JSON.
type shownClient struct {
	ID         string `json:"client_id"`
	Name       string `json:"client_name,omitempty"`
	URI        string `json:"client_uri"`
	Sessions   int    `json:"sessions"`
	Added      bool   `json:"added"`
	CreatedTS  int64  `json:"created_ts,omitempty"`
	LastUsedTS int64  `json:"last_used_ts,omitempty"`
}

// Run lists the clients.
func (cmd *clientList) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		clients, err := d.Clients(ctx)
		if err != nil {
			return err
		}
		t := cmd.listing(w.stdout, "CLIENT NAME URI SESSIONS ADDED CREATED LAST-USED")
		for _, client := range clients {
			var m protocol.Client
			if err := json.Unmarshal([]byte(client.Metadata), &m); err != nil {
				return fmt.Errorf("the metadata of client %s: %w", client.ID, err)
			}
			shown := shownClient{client.ID, m.Name, m.URI, client.Sessions, client.Added, db.Millis(client.Created),
				db.Millis(client.Used)}
			t.add(shown, client.ID, m.Name, m.URI, strconv.Itoa(client.Sessions), yes(client.Added),
				when(client.Created), when(client.Used))
		}
		return t.end(nil)
	})
}

type clientRemove struct {
	ID          []string `arg:"" help:"Client ids, as 'client list' shows them."`
	EndSessions bool     `help:"End the sessions of the client as well: its users are logged out."`
}

// Help is shown by 'postern client remove --help'.
func (*clientRemove) Help() string {
	return `A client with sessions is removed only with --end-sessions, since it could not go on without.
One that is removed may register again, as --oauth-clients of the server allows.

Examples:
  postern client remove mjqxgzltovzwk3tfmnuw45dsne
  postern client remove mjqxgzltovzwk3tfmnuw45dsne --end-sessions`
}

// Run removes all that exist and names those that do not, or that are in use.
func (cmd *clientRemove) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		var problems error
		for _, id := range cmd.ID {
			problems = errors.Join(problems, removeClient(ctx, w, d, id, cmd.EndSessions))
		}
		return problems
	})
}

func removeClient(ctx context.Context, w world, d *db.DB, id string, endSessions bool) error {
	sessions, err := d.RemoveClient(ctx, id, endSessions)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return fmt.Errorf("there is no client %q; `postern client list` shows them", id)
	case errors.Is(err, db.ErrConflict):
		return fmt.Errorf("%s has %s, and was not removed; --end-sessions ends them, and logs out who uses it", id,
			plural(sessions, "session"))
	case err != nil:
		return err
	}
	fmt.Fprintf(w.stdout, "%s is removed; %s ended\n", id, plural(sessions, "session"))
	return nil
}
