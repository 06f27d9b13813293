package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	rig "postern/test/rig/process"
	"postern/tokens"
)

const (
	serverName = "example.org"
	alice      = "alice" // the account that logs in
	password   = "correct horse battery staple"
	devices    = 4 // sessions of each of the other accounts

	accessTTL = 12 * time.Hour // longer than any run, so that nothing expires in the midst of it
)

// site is a database and what is needed to mint the tokens of its sessions.
type site struct {
	bench   *bench
	folder  string
	url     string // of its PostgreSQL; empty: it has a file
	key     tokens.Key
	expires time.Time // of the access tokens
}

// site makes a database as a user would, with the real binary, and then writes sessions straight into its tables.
func (b *bench) site(ctx context.Context, sessions int) (*site, error) {
	return b.siteAt(ctx, "", sessions)
}

// siteAt is site on a PostgreSQL.
func (b *bench) siteAt(ctx context.Context, url string, sessions int) (*site, error) {
	folder, err := os.MkdirTemp(b.dir, "site-")
	if err != nil {
		return nil, err
	}
	s := &site{bench: b, folder: folder, url: url, expires: time.Now().Add(accessTTL).Truncate(time.Millisecond)}
	if err := s.addAlice(ctx, serverName); err != nil {
		return nil, err
	}
	if _, err := firstAnswer(s.serve(ctx)); err != nil { // makes the keys
		return nil, err
	}
	return s, s.fill(ctx, sessions)
}

// addAlice makes the account by the real binary.
func (s *site) addAlice(ctx context.Context, serverName string) error {
	of := rig.Site{Binary: s.bench.binary("postern"), Database: s.database()}
	_, err := of.Command(ctx, password, "user", "add", alice, "--password-stdin", "--server-name", serverName)
	return err
}

func (s *site) database() string { return cmp.Or(s.url, filepath.Join(s.folder, "postern.db")) }

func (s *site) masterKey() string { return filepath.Join(s.folder, "postern.key") }

// open opens the database beside the server.
func (s *site) open() (*sql.DB, error) {
	if s.url != "" {
		return sql.Open("pgx", s.url)
	}
	return sql.Open("sqlite", "file:"+s.database()+"?_pragma=synchronous(OFF)&_pragma=cache_size(-400000)")
}

// serve starts Postern on the site, with more flags if there are any.
func (s *site) serve(ctx context.Context, more ...string) (*process, error) {
	return launch(ctx, s.bench.binary("postern"), append([]string{"serve", "--db", s.database(),
		"--master-key-file", s.masterKey(), "--server-name", serverName,
		"--listen", "127.0.0.1:0", "--rate-limit", "off", "--access-ttl", accessTTL.String()}, more...)...)
}

// fill puts rows into the tables in one transaction, and takes the root key out.
func (s *site) fill(ctx context.Context, sessions int) (err error) {
	d, err := s.open()
	if err != nil {
		return err
	}
	d.SetMaxOpenConns(1) // the settings are a connection's
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := s.unwrap(ctx, d); err != nil {
		return err
	}
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	user, err := tx.PrepareContext(ctx, `INSERT INTO users (localpart, password_hash, created, deactivated)
		SELECT $1, password_hash, created, 0 FROM users WHERE localpart = '`+alice+`'`)
	if err != nil {
		return err
	}
	session, err := tx.PrepareContext(ctx, `INSERT INTO sessions (id, localpart, device_id, display_name, created,
			expires, refreshable, generation, key_id, minted, access_expires, used, single_use, state,
			seen_at, seen_addr, seen_agent)
		VALUES ($1, $2, $3, 'A browser somewhere', $4, 0, TRUE, 1, $5, $4, $6, $4, FALSE, 'live',
			$4, '127.0.0.1', '`+agent+`')`)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for i := range sessions {
		if i%devices == 0 {
			if _, err := user.ExecContext(ctx, localpart(i)); err != nil {
				return err
			}
		}
		id := sessionID(i)
		if _, err := session.ExecContext(ctx, id, localpart(i), id[:10], now, s.key.ID,
			s.expires.UnixMilli()); err != nil {
			return err
		}
	}
	return tx.Commit() // the last connection to close writes the log back
}

func (s *site) unwrap(ctx context.Context, d *sql.DB) error {
	text, err := os.ReadFile(s.masterKey())
	if err != nil {
		return err
	}
	master, err := tokens.ParseMasterKey(string(text))
	if err != nil {
		return err
	}
	var id int64
	var wrapped []byte
	if err := d.QueryRowContext(ctx, `SELECT id, wrapped FROM root_keys`).Scan(&id, &wrapped); err != nil {
		return err
	}
	s.key, err = master.Unwrap(id, wrapped)
	return err
}

func localpart(i int) string { return fmt.Sprintf("user-%07d", i/devices) }

// sessionID is as long as a real one, and in as little order.
func sessionID(i int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])
}

// claims are those of the tokens of session i, as it was put into the database.
func (s *site) claims(i int, t tokens.Type) tokens.Claims {
	c := tokens.Claims{Session: sessionID(i), Generation: 1, UserID: "@" + localpart(i) + ":" + serverName, Type: t}
	if t == tokens.Access {
		c.Expires = s.expires
	}
	return c
}

// mint makes a token of every step-th session.
func (s *site) mint(t tokens.Type, count, step int) ([]string, error) {
	minted := make([]string, count)
	for i := range minted {
		var err error
		if minted[i], err = tokens.Mint(serverName, s.key, s.claims(i*step, t)); err != nil {
			return nil, err
		}
	}
	return minted, nil
}
