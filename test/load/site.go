package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"postern/test/rig/postgres"
	"postern/test/rig/process"
)

const (
	user     = "alice"
	password = "correct horse battery staple"
)

func build(ctx context.Context, folder string) (string, error) { return process.Build(ctx, folder) }

// on puts the load on a server on one engine.
func (l *load) on(ctx context.Context, engine string) (err error) {
	folder := filepath.Join(l.dir, engine)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	site := process.Site{Binary: l.binary, Database: filepath.Join(folder, "postern.db"),
		Key: filepath.Join(folder, "postern.key")}
	if engine == "postgres" {
		var stop func() error
		if site.Database, stop, err = postgres.Serve(ctx, false); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if _, err := site.Command(ctx, password, "user", "add", user, "--password-stdin"); err != nil {
		return err
	}
	// An access token must not expire between two uses of its session, which come by chance.
	server, err := site.Serve(context.WithoutCancel(ctx), "--rate-limit", "off", "--access-ttl", "12h")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	return l.measure(ctx, engine, server)
}

// measure warms the server up, looks at what it holds, loads it, and looks again.
func (l *load) measure(ctx context.Context, engine string, server *process.Server) error {
	progress("%s: %d logins", engine, l.sessions)
	m, err := newMix(ctx, server.URL, l.sessions, l.workers)
	if err != nil {
		return err
	}
	d := time.Duration(l.minutes * float64(time.Minute))
	progress("%s: warming up", engine)
	if warm := m.attack(ctx, min(20*time.Second, d/4), nil); warm.err() != nil {
		return warm.err()
	}
	before, err := m.rest(ctx, server)
	if err != nil {
		return err
	}
	progress("%s: load for %v", engine, d)
	counts := m.attack(ctx, d, func(so *counts) { progress("%s: %s", engine, so.progress()) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	after, err := m.rest(ctx, server)
	if err != nil {
		return err
	}
	report(os.Stdout, engine, l, counts, before, after)
	return errors.Join(counts.err(), after.grown(before))
}
