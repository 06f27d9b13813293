package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	binary "postern/test/rig/process"
	"postern/test/rig/standin"
	"postern/test/rig/synapse"
)

const (
	introspectPath = "/oauth2/introspect"
	rulesPath      = "/_matrix/client/v3/pushrules/" // answered by Synapse, from its memory
	pollers        = 1_000
)

// home is Postern in front of a real Synapse, and beside it a Synapse with its own authentication.
type home struct {
	postern, behind, alone *process
	internal               string // where Postern answers introspections
	secret                 string
	token, aloneToken      string
}

// home measures what it costs to stand in front.
func (b *bench) home(ctx context.Context) (rows []row, err error) {
	if !synapse.Installed() {
		return []row{{what: "in front of a Synapse", postern: "not measured: test/rig/synapse/install brings one"}}, nil
	}
	t := standin.New(ctx, b.dir)
	defer func() { err = t.End(recover(), err) }()
	h := b.newHome(ctx, t)
	for _, measure := range []func(context.Context, *home) ([]row, error){b.whoamis, b.streamed, b.transfers,
		b.introspections, b.polls} {
		more, err := measure(ctx, h)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) newHome(ctx context.Context, t *standin.T) *home {
	h := &home{secret: "the-secret-of-the-bench", internal: fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t))}
	alone, behind := synapse.New(t, synapse.Options{}), synapse.Prepare(t, synapse.Options{})
	behind.Delegate(t, "http://"+h.internal+"/", h.secret)
	behind.Run(t)
	alone.Register(t, alice, password, false)
	h.aloneToken, _ = alone.Login(t, alice, password, "", false)["access_token"].(string)
	h.alone, h.behind = processOf(alone), processOf(behind)

	s := &site{bench: b, folder: t.TempDir()}
	if err := s.addAlice(ctx, synapse.ServerName); err != nil {
		t.Fatal(err)
	}
	var err error
	h.postern, err = launch(ctx, b.binary("postern"),
		append([]string{"serve", "--db", s.database(), "--listen", "127.0.0.1:0", "--rate-limit", "off",
			"--internal-listen", h.internal}, binary.Before(t, behind.URL, h.secret)...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.postern.stop(); err != nil {
			t.Error(err)
		}
	})
	answer := synapse.Call(t, "POST", "http://"+h.postern.address+loginPath, "", map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": alice},
		"password": password,
	})
	h.token, _ = answer["access_token"].(string)
	return h
}

// processOf is a Synapse as the clients' target.
func processOf(s *synapse.Server) *process {
	return &process{pid: s.PID(), address: strings.TrimPrefix(s.URL, "http://")}
}

// whoamis compares the token check through the front with Synapse's own.
func (b *bench) whoamis(ctx context.Context, h *home) ([]row, error) {
	pick := func(int, int) int { return 0 }
	got, err := b.compare(ctx, "whoami",
		side{"through the front", h.postern, whoamis(checkers, []string{h.token}, pick)},
		side{"Synapse alone", h.alone, whoamis(checkers, []string{h.aloneToken}, pick)})
	if err != nil {
		return nil, err
	}
	return besideAlone(fmt.Sprintf("`whoami` through the front, %d connections", checkers),
		"Synapse alone, its own auth: ", got, "≥ 0.95", "≤ 0.5 ms more"), nil
}

// streamed compares a request that Synapse answers, with and without the front: one at a time, in short rounds since
// the difference is small, and when the machine is full.
func (b *bench) streamed(ctx context.Context, h *home) (rows []row, err error) {
	short := *b
	short.rounds, short.seconds = 10*b.rounds, b.seconds/10
	for _, c := range []struct {
		*bench
		clients int
		goal    string
	}{{&short, 1, "≤ 0.15 ms more"}, {b, checkers, ""}} {
		get := load{clients: c.clients, request: func(out []byte, _, _ int) []byte {
			return append(out, "GET "+rulesPath+head+"Authorization: Bearer "+h.token+"\r\n\r\n"...)
		}}
		got, err := c.compare(ctx, "streamed", side{"through the front", h.postern, get},
			side{"the same Synapse", h.behind, get})
		if err != nil {
			return nil, err
		}
		rows = append(rows, besideAlone(fmt.Sprintf("`pushrules`, streamed from Synapse, %s", plural(c.clients)),
			"the same Synapse without the front: ", got, "", c.goal)...)
	}
	return rows, nil
}

func besideAlone(what, beside string, got []series, throughput, time string) []row {
	return []row{
		{what, got[0].rates(), beside + got[1].rates(),
			got[0].of(perSecond).over(got[1].of(perSecond)).spread(ratio) + " of it", throughput},
		{"… latency", got[0].times(), beside + got[1].times(),
			got[0].of(medianTime).less(got[1].of(medianTime)).spread(micros) + " more", time},
	}
}

// introspections compares the answer to Synapse's question with a handler that answers the same bytes.
func (b *bench) introspections(ctx context.Context, h *home) (rows []row, err error) {
	body := url.Values{"token": {h.token}}.Encode()
	ask := load{clients: checkers, request: func(out []byte, _, _ int) []byte {
		return fmt.Appendf(out, "POST %s%sAuthorization: Bearer %s\r\nContent-Type: "+asForm+
			"\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s",
			introspectPath, head, h.secret, len(body), body)
	}}
	internal := &process{pid: h.postern.pid, address: h.internal}
	answer, err := once(internal, ask)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(answer, []byte(`"active":true`)) {
		return nil, fmt.Errorf("introspection: %s", answer)
	}
	plain, err := b.bare(ctx, map[string]json.RawMessage{"Introspect": answer})
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, plain) }()
	got, err := b.compare(ctx, "introspection", side{"Postern", internal, ask}, side{"bare", plain, ask})
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("introspection, %d connections", checkers), got[0].rates(), "bare Echo: " + got[1].rates(),
		got[0].of(perSecond).over(got[1].of(perSecond)).spread(ratio) + " of bare", "≥ 0.50",
	}}, nil
}

// polls opens long polls that nothing ends, and looks what Postern holds for them.
func (b *bench) polls(ctx context.Context, h *home) ([]row, error) {
	get := func(query string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, "GET",
			"http://"+h.postern.address+"/_matrix/client/v3/sync?"+query, nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+h.token)
		return http.DefaultClient.Do(request)
	}
	response, err := get("timeout=0")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var first struct {
		NextBatch string `json:"next_batch"`
	}
	text, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(text, &first)
	}
	if err != nil || first.NextBatch == "" {
		return nil, errors.Join(err, fmt.Errorf("sync: %s", text))
	}
	wait(ctx, settle)
	before, err := h.postern.usage()
	if err != nil {
		return []row{{what: "idle long polls", postern: "not measured: only Linux tells"}}, nil
	}
	for range pollers {
		c, err := dial(h.postern.address, 0)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "GET /_matrix/client/v3/sync?timeout=120000&since=%s%sAuthorization: Bearer "+
			"%s\r\n\r\n", first.NextBatch, head, h.token); err != nil {
			return nil, err
		}
	}
	wait(ctx, 2*recovery)
	during, err := h.postern.usage()
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("memory, %d idle long polls through the front", pollers), memoryOf(during),
		"before: " + memoryOf(before),
		mib(during.Resident-before.Resident) + " more", "≤ 40 MiB more",
	}}, nil
}

func plural(connections int) string {
	if connections == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", connections)
}
