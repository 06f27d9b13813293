package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"
)

// crowd is how many clients log in at a time.
const crowd = 8

// hashing is what a password costs at Postern.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// login measures what a login costs beside the hash of its password, and whether many use all cores.
func (b *bench) login(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, err := s.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	hash, err := argon2id.CreateHash(password, hashing)
	if err != nil {
		return nil, err
	}
	alone, err := b.loginAlone(p, hash)
	if err != nil {
		return nil, err
	}
	crowded, err := b.loginCrowd(ctx, p, hash)
	return append(alone, crowded...), err
}

// loginAlone takes turns between one login and one hash.
func (b *bench) loginAlone(p *process, hash string) ([]row, error) {
	c, err := dial(p.address, time.Duration(b.rounds)*b.seconds+time.Minute)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	request := logins(1).request(nil, 0, 0)
	var withHTTP, bare figures
	for round := range b.rounds {
		var login, hashed figures
		for end := time.Now().Add(b.seconds); len(login) == 0 || time.Now().Before(end); {
			began := time.Now()
			if _, err := c.ask(request); err != nil {
				return nil, err
			}
			login = append(login, float64(time.Since(began)))
			began = time.Now()
			if err := compareHash(hash); err != nil {
				return nil, err
			}
			hashed = append(hashed, float64(time.Since(began)))
		}
		withHTTP, bare = append(withHTTP, login.median()), append(bare, hashed.median())
		progress("  1 client, round %d · login %s, bare hash %s", round+1, micros(login.median()),
			micros(hashed.median()))
	}
	return []row{{"login, 1 client", micros(withHTTP.median()), "argon2id alone: " + micros(bare.median()),
		withHTTP.less(bare).spread(micros) + " over the hash", "≤ 2 ms over"}}, nil
}

// loginCrowd takes turns between hashes on one core, hashes on all cores, and many logins.
func (b *bench) loginCrowd(ctx context.Context, p *process, hash string) ([]row, error) {
	cores := runtime.NumCPU()
	var one, all figures
	var got series
	for round := range b.rounds {
		first, err := hashRate(hash, 1, b.seconds/2)
		if err != nil {
			return nil, err
		}
		full, err := hashRate(hash, cores, b.seconds/2)
		if err != nil {
			return nil, err
		}
		r, err := logins(crowd).run(ctx, p, b.seconds)
		if err != nil {
			return nil, err
		}
		one, all, got = append(one, first*float64(cores)), append(all, full), append(got, r)
		progress("  %d clients, round %d · login %s, hashes on one core %s, on %d cores %s", crowd, round+1,
			rate(r.perSecond), rate(first), cores, rate(full))
	}
	rates := got.of(perSecond)
	what := fmt.Sprintf("login, %d clients", crowd)
	return []row{
		{what, got.rates(), fmt.Sprintf("%d × argon2id on one core: %s", cores, rate(one.median())),
			rates.over(one).spread(ratio), "1: all cores full"},
		{"… beside what the cores can do", "",
			fmt.Sprintf("argon2id on %d cores at once: %s", cores, rate(all.median())), rates.over(all).spread(ratio),
			""},
	}, nil
}

// hashRate is how many passwords some goroutines compare in a second.
func hashRate(hash string, goroutines int, d time.Duration) (float64, error) {
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, goroutines)
	began := time.Now()
	for range goroutines {
		go func() {
			o := outcome{}
			for o.err == nil && (o.n == 0 || time.Since(began) < d) {
				o.err = compareHash(hash)
				o.n++
			}
			done <- o
		}()
	}
	n := 0
	for range goroutines {
		o := <-done
		if o.err != nil {
			return 0, o.err
		}
		n += o.n
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func compareHash(hash string) error {
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err == nil && !match {
		err = fmt.Errorf("the hash does not match")
	}
	return err
}
