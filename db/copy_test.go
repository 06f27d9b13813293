package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/postgres"
)

// elsewhere names databases that a copy of the one under test may go to: of its engine, and of the other one where
// there is one.
func elsewhere(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"to a file": file(t)}
	if postgres.Chosen() {
		all["to a server"] = dsn(t)
	}
	return all
}

// A table or a column that a migration adds and Copy does not know would be lost on the way.
func TestCopyKnowsTheSchema(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
	if postgres.Chosen() {
		q = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
	}
	got, err := list(bg, d, q, scanText)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{versionTable}
	for _, table := range tables {
		want = append(want, table.Name)
		rows, err := d.reads.Query(`SELECT * FROM ` + table.Name)
		if err != nil {
			t.Fatal(err)
		}
		types, err := rows.ColumnTypes()
		var there, truths []string
		for _, column := range types {
			there = append(there, column.Name())
			if strings.HasPrefix(column.DatabaseTypeName(), "BOOL") {
				truths = append(truths, column.Name())
			}
		}
		for listed, found := range map[string][]string{table.Columns: there, table.Bools: truths} {
			known := words(listed)
			slices.Sort(found)
			slices.Sort(known)
			if err := errors.Join(err, rows.Close()); err != nil || !slices.Equal(known, found) {
				t.Errorf("%s: %v, %s", table.Name, err, cmp.Diff(known, found))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
}

// There and back: everything arrives, the source refuses from the next request on, and answers again once it is home to
// all.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	home := dsn(t)
	d := freshAt(t, Config{DSN: home})
	furnish(t, d)
	want := d.holdings(t)
	for name, dsn := range elsewhere(t) {
		d.session(t, "one") // in memory
		var told []string
		c := CopyConfig{From: home, To: dsn,
			Progress: func(table string, done, rows int) { told = append(told, fmt.Sprint(table, done, rows)) }}
		copied, err := Copy(bg, c)
		if err != nil || len(copied.Tables) != len(tables) || len(told) < len(tables) {
			t.Fatalf("%s: %+v, %v, %v", name, copied, err, told)
		}
		wantMoved(t, d, dsn)
		if _, err := Open(bg, Config{DSN: home}); err == nil ||
			!strings.Contains(err.Error(), "has moved to "+Place(dsn)) {
			t.Errorf("%s: opening the source: %v", name, err)
		}
		if _, err := Copy(bg, c); err == nil || !strings.Contains(err.Error(), "has moved to") {
			t.Errorf("%s: copying it again: %v", name, err)
		}
		if _, err := Backup(bg, CopyConfig{From: home, To: file(t)}); err == nil ||
			!strings.Contains(err.Error(), "has moved to") {
			t.Errorf("%s: a backup of it: %v", name, err)
		}
		there := open(t, Config{DSN: dsn})
		if got := there.holdings(t); !cmp.Equal(got, want) {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
		login(t, there, "new", "N")
		want = there.holdings(t)
		if _, err := Copy(bg, CopyConfig{From: dsn, To: home}); err != nil {
			t.Fatalf("%s: and back: %v", name, err)
		}
		wantMoved(t, there, home)
		if got := d.holdings(t); !cmp.Equal(got, want) {
			t.Errorf("%s: and back: %s", name, cmp.Diff(want, got))
		}
		d.session(t, "new")
		if err := errors.Join(d.Ping(bg), d.EndSession(bg, "new")); err != nil {
			t.Errorf("%s: at home again: %v", name, err)
		}
		want = d.holdings(t)
	}
}

// wantMoved holds that nothing is read from d any more and nothing written, neither what is in memory nor what is not
// there.
func wantMoved(t *testing.T, d *DB, dsn string) {
	t.Helper()
	_, _, err1 := d.Session(bg, "one")
	_, _, err2 := d.Session(bg, "unknown")
	_, err3 := d.AdvanceGeneration(bg, refresh("one", 3))
	_, err4 := d.User(bg, "nobody")
	_, err5 := d.Taken(bg, "nobody")
	_, err6 := d.RootKeys(bg)
	_, err7 := d.Fresh(bg)
	_, err8 := d.StartSession(bg, Login{ID: "late", Localpart: "alice", PasswordHash: "hash", DeviceID: "late", At: t0})
	_, err9 := d.Tidy(bg, t0, TidyConfig{})
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, d.EndSession(bg, "unknown"),
		d.Ping(bg)} {
		if !errors.Is(err, ErrUnavailable) ||
			!strings.Contains(err.Error(), "has moved to "+Place(dsn)+"; start with --db") {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// Who had an answer finds it in the copy, and who was refused finds nothing.
func TestCopyLosesNoWrite(t *testing.T) {
	t.Parallel()
	for name, place := range elsewhere(t) {
		home := dsn(t)
		d := freshAt(t, Config{DSN: home})
		d.hasten(t)
		d.bulk(t, "ballast", 1000, time.Time{})
		const clients = 8
		for i := range clients {
			login(t, d, fmt.Sprint("s", i), fmt.Sprint("s", i))
		}
		var answered [clients]int64
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				for k := int64(1); ; k++ {
					s, err := d.AdvanceGeneration(bg, refresh(fmt.Sprint("s", i), k))
					if err != nil {
						if !errors.Is(err, ErrUnavailable) {
							t.Errorf("%s: refused with %v", name, err)
						}
						if errors.As(err, new(movedError)) {
							return
						}
						k-- // the copy takes longer than the writer's patience: the client asks again
						continue
					}
					answered[i] = s.Generation
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		if _, err := Copy(bg, CopyConfig{From: home, To: place}); err != nil {
			t.Error(err)
			_ = d.SetSetting(bg, movedTo, "nowhere") // so that the clients end
		}
		wg.Wait()
		there := open(t, Config{DSN: place})
		for i := range clients {
			id := fmt.Sprint("s", i)
			if s := there.session(t, id); s.Generation != answered[i] {
				t.Errorf("%s: %s was told %d, and %d was copied", name, id, answered[i], s.Generation)
			}
			if s, err := there.AdvanceGeneration(bg, refresh(id, answered[i])); err != nil ||
				s.Generation != answered[i]+1 {
				t.Errorf("%s: going on: %+v, %v", name, s, err)
			}
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	home, away := dsn(t), file(t)
	d := freshAt(t, Config{DSN: home})
	login(t, d, "one", "A")
	refused := func(words, from, to string, keep bool) {
		t.Helper()
		if _, err := Copy(bg, CopyConfig{From: from, To: to, KeepSource: keep}); err == nil ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
		d.session(t, "one")
	}
	refused("is the source and the target", home, home, true)
	refused("is the source and the target", home, home, false)
	other := freshAt(t, Config{DSN: file(t)})
	refused("is not empty (it has 1 rows in events)", home, other.engine.String(), false)
	refused("is not empty", home, other.engine.String(), true)

	// A trial that nobody has touched may be made again, by the same source only; and then for good.
	for range 2 {
		if _, err := Copy(bg, CopyConfig{From: home, To: away, KeepSource: true}); err != nil {
			t.Fatal(err)
		}
		login(t, d, "one", "A")
	}
	refused("is not empty", other.engine.String(), away, false)
	trial := open(t, Config{DSN: away})
	trial.session(t, "one")
	if err := trial.EndSession(bg, "one"); err != nil {
		t.Fatal(err)
	}
	refused("is not empty", home, away, false)

	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Copy(ctx, CopyConfig{From: home, To: file(t)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Given up in the midst, a copy changes nothing on either side.
func TestCopyGivenUp(t *testing.T) {
	t.Parallel()
	home, away := dsn(t), file(t)
	d := freshAt(t, Config{DSN: home})
	furnish(t, d)
	want := d.holdings(t)
	for _, at := range []string{"users", "sessions", "settings"} {
		ctx, cancel := context.WithCancel(bg)
		_, err := Copy(ctx, CopyConfig{From: home, To: away, Progress: func(table string, _, _ int) {
			if table == at {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", at, err)
		}
		if there := open(t, Config{DSN: away}); there.count(t, "sessions") != 0 || there.count(t, "users") != 0 {
			t.Errorf("%s: something is in the copy", at)
		}
		if got := d.holdings(t); !cmp.Equal(got, want) {
			t.Errorf("%s: %s", at, cmp.Diff(want, got))
		}
	}
}

// The copy was committed, and then the machine stopped before the source was marked: it is run again.
func TestCopyInterruptedBeforeTheMark(t *testing.T) {
	t.Parallel()
	home, away := dsn(t), file(t)
	d := freshAt(t, Config{DSN: home})
	furnish(t, d)
	if _, err := Copy(bg, CopyConfig{From: home, To: away, KeepSource: true}); err != nil { // does just as much
		t.Fatal(err)
	}
	login(t, d, "meanwhile", "M")
	want := d.holdings(t)
	if _, err := Copy(bg, CopyConfig{From: home, To: away}); err != nil {
		t.Fatal(err)
	}
	if got := open(t, Config{DSN: away}).holdings(t); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// A write that waited in vain for its turn does not spoil those after it.
func TestLockHeldTooLong(t *testing.T) {
	t.Parallel()
	place := dsn(t)
	d := freshAt(t, Config{DSN: place, wait: 50 * time.Millisecond})
	s, err := openSide(bg, place)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.begin(bg, true); err != nil {
		t.Fatal(err)
	}
	if err := d.SetSetting(bg, "any", "write"); !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(err.Error(), "keeps it locked") {
		t.Errorf("while it is held: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.SetSetting(bg, "any", "write"); err != nil {
			t.Errorf("after it: %v", err)
		}
	}
}
