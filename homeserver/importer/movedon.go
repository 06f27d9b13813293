package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"postern/db"
)

// importedFrom is the setting that says from where sessions came last, as a [Source].
const importedFrom = "imported_from"

// Source is a Synapse's database as the last import of sessions found it, so that a later look tells whether Synapse
// has given tokens since: its ids only grow while Synapse has the accounts.
type Source struct {
	From    string `json:"from"`    // a whole path, or a URL without a password
	Access  int64  `json:"access"`  // the id of the newest access token
	Refresh int64  `json:"refresh"` // and of the newest refresh token
}

// LastSource is what the last import of sessions found; the zero value if there was none.
func LastSource(ctx context.Context, d *db.DB) (s Source, err error) {
	text, err := d.Setting(ctx, importedFrom)
	if errors.Is(err, db.ErrNotFound) {
		return Source{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	return s, err
}

// record notes the source of an import that has left nothing there.
func (m *importing) record(ctx context.Context) error {
	if m.db == nil || m.DryRun || !m.contents.Sessions || m.result().Left > 0 {
		return nil
	}
	text, err := json.Marshal(m.contents.Source)
	if err != nil {
		return err // unreachable: a string and numbers
	}
	return m.db.SetSetting(ctx, importedFrom, string(text))
}

// Since says what Synapse has given since an earlier look at the same database; empty if nothing.
func (s Source) Since(earlier Source) string {
	var news []string
	for _, n := range []struct {
		what     string
		is, from int64
	}{{"access", s.Access, earlier.Access}, {"refresh", s.Refresh, earlier.Refresh}} {
		if n.is > n.from {
			news = append(news, fmt.Sprintf("%s token %d, where %d was the newest", n.what, n.is, n.from))
		}
	}
	return strings.Join(news, "; ")
}

// Look reads again where the sessions came from. It is quick: it asks for the newest tokens alone.
func (s Source) Look(ctx context.Context) (now Source, err error) {
	c := Config{From: s.From}
	source, err := c.open(ctx)
	if err != nil {
		return now, err
	}
	defer source.close()
	return c.newest(ctx, source)
}

// newest reads the ids of Synapse's newest tokens.
func (c Config) newest(ctx context.Context, s *source) (is Source, err error) {
	is.From = c.place()
	for _, table := range []struct {
		name, column string
		id           *int64
	}{{"access_tokens", "token", &is.Access}, {"refresh_tokens", "next_token_id", &is.Refresh}} {
		if err := s.columns(ctx, table.name); err != nil {
			return is, s.explain(err)
		}
		if !s.has["id"] || !s.has[table.column] {
			continue
		}
		err := s.each(ctx, `SELECT COALESCE(MAX(id), 0) FROM `+table.name,
			func(scan func(...any) error) error { return scan(table.id) })
		if err != nil {
			return is, s.explain(err)
		}
	}
	return is, nil
}

// place is Config.From as it may be written down: whole, and without a password.
func (c Config) place() string {
	if strings.Contains(c.From, "://") {
		u, err := url.Parse(c.From)
		if err != nil {
			return ""
		}
		if u.User != nil {
			u.User = url.User(u.User.Username())
		}
		q := u.Query()
		q.Del("password")
		u.RawQuery = q.Encode()
		return u.String()
	}
	path, err := filepath.Abs(c.From)
	if err != nil {
		return c.From
	}
	return path
}
