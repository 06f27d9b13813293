package db

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSession is one token check's share of the database: the ask, shared by who waits, and a row from memory.
func BenchmarkSession(b *testing.B) {
	for _, rows := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			if rows > 100_000 && testing.Short() {
				b.Skip("takes a while to fill")
			}
			d := open(b, Config{DSN: filepath.Join(b.TempDir(), "bench.db")})
			fill(b, d, rows)
			b.Run("hit", func(b *testing.B) { benchSession(b, d, min(rows, 1_000)) })
			if rows > 100_000 {
				b.Run("miss", func(b *testing.B) { benchSession(b, d, rows) })
			}
		})
	}
}

func benchSession(b *testing.B, d *DB, ids int) {
	ctx := context.Background()
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := d.Session(ctx, sessionName(int(n.Add(7919))%ids)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkBusy is checks beside a writer that commits as fast as it can, so that hardly any check finds nothing to
// ask.
func BenchmarkBusy(b *testing.B) {
	d := open(b, Config{DSN: filepath.Join(b.TempDir(), "bench.db")})
	fill(b, d, 1_000)
	d.hasten(b)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for k := int64(1); ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			r := Refresh{Session: sessionName(0), Generation: k, At: t0, KeyID: 1, AccessTTL: time.Minute}
			if _, err := d.AdvanceGeneration(bg, r); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	benchSession(b, d, 1_000)
	b.StopTimer()
	close(stop)
	<-stopped
}

// BenchmarkAsk is what it costs one caller alone to learn that nobody else has written.
func BenchmarkAsk(b *testing.B) {
	d := open(b, Config{DSN: filepath.Join(b.TempDir(), "bench.db")})
	b.ReportAllocs()
	for b.Loop() {
		if err := d.fresh.check(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdvance1 is the latency of one durable refresh.
func BenchmarkAdvance1(b *testing.B) { benchAdvance(b, 1, 1_000) }

// BenchmarkAdvance64 is 64 clients refreshing as fast as they are answered.
func BenchmarkAdvance64(b *testing.B) { benchAdvance(b, 64, 1_000) }

// BenchmarkAdvance64Million is the same with rows that are seldom in a page cache.
func BenchmarkAdvance64Million(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a while to fill")
	}
	benchAdvance(b, 64, 1_000_000)
}

func benchAdvance(b *testing.B, clients, rows int) {
	var batches, ops atomic.Int64
	d := open(b, Config{DSN: filepath.Join(b.TempDir(), "bench.db"), OnBatch: func(n int, _ time.Duration) {
		batches.Add(1)
		ops.Add(int64(n))
	}})
	fill(b, d, rows)
	ctx := context.Background()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, clients)
	b.ReportAllocs()
	b.ResetTimer()
	for c := range clients {
		go func() {
			gen := make(map[string]int64)
			for i := c; left.Add(-1) >= 0; i += clients {
				id := sessionName(i/clients*17%(rows/clients)*clients + c) // a client has its own
				s, err := d.AdvanceGeneration(ctx,
					Refresh{Session: id, Generation: max(gen[id], 1), At: time.UnixMilli(1_700_000_000_000 + int64(i)),
						KeyID: 1, AccessTTL: 5 * time.Minute, Seen: Seen{Addr: "192.0.2.1", Agent: "bench"}})
				if err != nil {
					done <- fmt.Errorf("%s: %w", id, err)
					return
				}
				gen[id] = s.Generation
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
	b.ReportMetric(float64(ops.Load())/float64(max(batches.Load(), 1)), "ops/batch")
}

func sessionName(i int) string { return fmt.Sprintf("session-%08d-0123456789abcdef", i) }

// fill adds sessions in bulk, behind the writer's back.
func fill(tb testing.TB, d *DB, rows int) {
	tb.Helper()
	raw := rawOpen(tb, d)
	exec := func(q string, args ...any) {
		if _, err := raw.ExecContext(context.Background(), q, args...); err != nil {
			tb.Fatal(err)
		}
	}
	exec(`INSERT INTO users (localpart, password_hash, created) VALUES ('bench', 'hash', 1)`)
	exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 - 1)
		INSERT INTO sessions (id, localpart, device_id, display_name, created, expires, refreshable, generation, key_id, minted,
			access_expires, used, single_use, state, seen_at, seen_addr, seen_agent)
		SELECT printf('session-%08d-0123456789abcdef', i), 'bench', printf('DEVICE%08d', i), 'Bench on Linux', 1, 0, TRUE, 1, 1, 1,
			2, 0, FALSE, 'live', 1, '192.0.2.1', 'bench' FROM n`, rows)
}

// rawOpen is another process: a connection that knows nothing of ours.
func rawOpen(tb testing.TB, d *DB) *sql.DB {
	tb.Helper()
	raw, err := sql.Open("sqlite", "file:"+d.engine.String()+"?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { raw.Close() })
	return raw
}

func open(tb testing.TB, c Config) *DB {
	tb.Helper()
	d, err := Open(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}
