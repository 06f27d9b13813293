package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/bcrypt"

	"postern/test/rig/process"
)

// flood measures an honest login that comes once a second, each of another person, while others guess at passwords, as
// many at a time as asked for: each guesses again when answered, from its own address or, with -addresses, from one out
// of so many, at a name out of two hundred.
type flood struct {
	url       string
	addresses int
	client    *http.Client
	mu        sync.Mutex
	kinds     [honest]outcomes
	wrong     map[string]int // how guesses were answered
}

// The honest logins. Each is from an address of its own.
const (
	newDevice = iota
	knownDevice
	honest
)

const knownID = "KNOWN"

// hashing is what a password costs at Postern.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// outcomes are how long logins took that succeeded, and why others did not.
type outcomes struct {
	took   []time.Duration
	failed []string
}

// floods measures one number of guesses after the other, each on a server of its own, and prints a table.
func (l *load) floods(ctx context.Context, numbers []int) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "wrong at a time\tnew device: p50\tp99\tfailed\tknown device: p50\tp99\tfailed\tunheard sessions\t"+
		"guesses answered")
	for _, n := range numbers {
		progress("%d wrong passwords at a time, for %d s", n, l.seconds)
		if err := l.flood(ctx, t, n); err != nil {
			return err
		}
	}
	return t.Flush()
}

func (l *load) flood(ctx context.Context, out io.Writer, n int) (err error) {
	folder := filepath.Join(l.dir, fmt.Sprint("flood", n))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	site := process.Site{Binary: l.binary, Database: filepath.Join(folder, "postern.db")}
	if err := l.people(ctx, site, folder); err != nil {
		return err
	}
	server, err := site.Serve(context.WithoutCancel(ctx), "--rate-limit", "off", "--trusted-proxy", "127.0.0.1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	f := &flood{url: server.URL + process.LoginPath, addresses: l.addresses, wrong: make(map[string]int)}
	f.client = &http.Client{Timeout: 45 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: n + 64, DisableCompression: true}}
	defer f.client.CloseIdleConnections()
	for i := range l.seconds {
		if code := f.login(ctx, person(i), password, addressOf(knownDevice, i), knownID); code != "200" {
			return fmt.Errorf("a first login is answered %s", code)
		}
	}
	f.run(ctx, n, l.seconds)
	list, err := site.Command(ctx, "", "session", "list")
	if err != nil {
		return err
	}
	f.report(out, n, strings.Count(list, "@person")-l.seconds)
	return ctx.Err()
}

// people makes the honest accounts and, if those are to exist, the ones that are guessed at, with hashes of Synapse's.
func (l *load) people(ctx context.Context, site process.Site, folder string) error {
	hash, err := argon2id.CreateHash(password, hashing)
	if err != nil {
		return err
	}
	csv := []byte("user,password_hash\n")
	for i := range l.seconds {
		csv = fmt.Appendf(csv, "%s,\"%s\"\n", person(i), hash)
	}
	if l.moved {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), 12)
		if err != nil {
			return err
		}
		for i := range names {
			csv = fmt.Appendf(csv, "%s,synapse%s\n", guessed(i), hash)
		}
	}
	file := filepath.Join(folder, "people.csv")
	if err := os.WriteFile(file, csv, 0o600); err != nil {
		return err
	}
	_, err = site.Command(ctx, "", "user", "import", file)
	return err
}

const names = 200

func person(i int) string  { return fmt.Sprint("person", i) }
func guessed(i int) string { return fmt.Sprint("guessed", i) }

// addressOf is where a person logs in from; nobody else does.
func addressOf(kind, i int) string { return fmt.Sprintf("198.51.%d.%d", kind*100+i/250, i%250) }

// run guesses until the honest logins that began within the time have been answered.
func (f *flood) run(ctx context.Context, n, seconds int) {
	ctx, stop := context.WithCancel(ctx)
	var guesses, logins sync.WaitGroup
	for worker := range n {
		guesses.Go(func() {
			for ctx.Err() == nil {
				i := worker
				if f.addresses > 0 {
					i = rand.IntN(f.addresses)
				}
				address := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
				code := f.login(ctx, guessed(rand.IntN(names)), "wrong", address, "")
				f.mu.Lock()
				f.wrong[code]++
				f.mu.Unlock()
			}
		})
	}
	for i := range seconds {
		for kind, device := range [honest]string{"", knownID} {
			logins.Go(func() {
				began := time.Now()
				code := f.login(ctx, person(i), password, addressOf(kind, i), device)
				f.add(kind, code, time.Since(began))
			})
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	logins.Wait()
	stop()
	guesses.Wait()
}

func (f *flood) add(kind int, code string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if code == "200" {
		f.kinds[kind].took = append(f.kinds[kind].took, took)
	} else {
		f.kinds[kind].failed = append(f.kinds[kind].failed, code)
	}
}

// login tries one, as a proxy sends it on, and gives the status, or what else came of it.
func (f *flood) login(ctx context.Context, name, word, address, device string) string {
	body := map[string]any{"type": "m.login.password", "password": word,
		"identifier": map[string]string{"type": "m.id.user", "user": name}}
	if device != "" {
		body["device_id"] = device
	}
	text, err := json.Marshal(body)
	if err != nil { // unreachable: strings
		return err.Error()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(text))
	if err != nil {
		return err.Error()
	}
	r.Header.Set("X-Forwarded-For", address)
	answer, err := f.client.Do(r)
	if err != nil {
		return "no answer"
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "half an answer"
	}
	return strconv.Itoa(answer.StatusCode)
}

// report prints a line. Sessions are unheard if there are more new ones than logins that were answered.
func (f *flood) report(out io.Writer, n, sessions int) {
	fmt.Fprintf(out, "%d\t", n)
	for _, o := range f.kinds {
		slices.Sort(o.took)
		fmt.Fprintf(out, "%s\t%s\t%d of %d %s\t", o.quantile(50), o.quantile(99), len(o.failed),
			len(o.failed)+len(o.took), tally(o.failed))
	}
	fmt.Fprintf(out, "%d\t%v\n", sessions-len(f.kinds[newDevice].took), f.wrong)
}

// quantile is of those that succeeded.
func (o *outcomes) quantile(percent int) string {
	if len(o.took) == 0 {
		return "-"
	}
	return o.took[min(len(o.took)*percent/100, len(o.took)-1)].Round(time.Millisecond).String()
}

func tally(all []string) string {
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return ""
	}
	return "(" + strings.Join(all, ", ") + ")"
}
