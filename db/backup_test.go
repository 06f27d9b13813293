package db

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/postgres"
)

// A backup is what was there at one moment, in a file of the owner's, and opens like any database.
func TestBackup(t *testing.T) {
	t.Parallel()
	home := dsn(t)
	d := freshAt(t, Config{DSN: home})
	furnish(t, d)
	begun := Interaction{ID: "begun", Expires: t0.Add(day), Version: 1, Sealed: []byte("a password, maybe")}
	if err := d.AddInteraction(bg, begun, t0, 10); err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "a ?%20#odd näme.db")
	want := d.holdings(t)
	copied, err := Backup(bg, CopyConfig{From: home, To: place})
	if err != nil || len(copied.Tables) != len(tables)-1 {
		t.Fatalf("%+v, %v", copied, err)
	}
	entries, err := os.ReadDir(filepath.Dir(place))
	if info, err2 := os.Stat(place); err != nil || err2 != nil || info.Mode() != 0o600 || len(entries) != 1 {
		t.Errorf("%v, %v, %v, %v", info, entries, err, err2)
	}
	before, _ := os.ReadFile(place)
	if _, err := Backup(bg, CopyConfig{From: home, To: place}); !errors.Is(err, ErrConflict) ||
		!strings.Contains(err.Error(), "name another file") {
		t.Errorf("over a file: %v", err)
	}
	if after, _ := os.ReadFile(place); string(after) != string(before) {
		t.Error("the backup was changed")
	}
	restored := open(t, Config{DSN: place})
	if got := restored.holdings(t); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if here, there := d.count(t, "interactions"), restored.count(t, "interactions"); here != 1 || there != 0 {
		t.Errorf("%d user-interactive sessions, and %d in the backup", here, there)
	}
	if got := d.holdings(t); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// Nobody waits for a backup, and it holds no half of anything: here two sessions change in one transaction.
func TestBackupWhileServing(t *testing.T) {
	t.Parallel()
	home := dsn(t)
	d := freshAt(t, Config{DSN: home})
	d.hasten(t)
	d.bulk(t, "ballast", 500, time.Time{})
	login(t, d, "0first", "A")
	login(t, d, "zlast", "B")
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for k := 1; ; k++ {
			select {
			case <-ended:
				return
			default:
			}
			_, err := write(bg, d, everything, func(t *Tx) (struct{}, error) {
				return struct{}{}, t.Exec(`UPDATE sessions SET generation = generation + 1 WHERE id IN ('0first', 'zlast')`)
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2 {
		place := file(t)
		if _, err := Backup(bg, CopyConfig{From: home, To: place}); err != nil {
			t.Error(err)
			break
		}
		b := open(t, Config{DSN: place})
		if a, z := b.session(t, "0first"), b.session(t, "zlast"); a.Generation != z.Generation {
			t.Errorf("generations %d and %d", a.Generation, z.Generation)
		}
	}
	close(ended)
	wg.Wait()

	// Given up, it leaves nothing.
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(bg)
	_, err := Backup(ctx, CopyConfig{From: home, To: filepath.Join(folder, "b.db"),
		Progress: func(string, int, int) { cancel() }})
	if entries, _ := os.ReadDir(folder); !errors.Is(err, context.Canceled) || len(entries) != 0 {
		t.Errorf("given up: %v, %v", err, entries)
	}
}

// BenchmarkCopy is how fast an installation moves, and how fast a backup is.
func BenchmarkCopy(b *testing.B) {
	const n = 100_000
	home := dsn(b)
	d := freshAt(b, Config{DSN: home})
	d.hasten(b)
	d.bulk(b, "many", n, time.Time{})
	run := func(name string, do func(b *testing.B) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(b); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	run("backup", func(b *testing.B) error {
		_, err := Backup(bg, CopyConfig{From: home, To: file(b)})
		return err
	})
	run("file", func(b *testing.B) error {
		_, err := Copy(bg, CopyConfig{From: home, To: file(b), KeepSource: true})
		return err
	})
	if postgres.Chosen() {
		run("server", func(b *testing.B) error {
			_, err := Copy(bg, CopyConfig{From: home, To: dsn(b), KeepSource: true})
			return err
		})
	}
}
