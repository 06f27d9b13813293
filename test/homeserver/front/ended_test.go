package front

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"postern/test/rig/synapse"
)

// TestEndedWhileWaiting: a long poll hears that its session has ended, or is locked, long before the poll's own end,
// whoever did it.
func TestEndedWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newPair(t)
	for _, c := range []struct {
		device, code string
		soft         bool
		end          func(p *person)
	}{
		{"LOCKED", "M_USER_LOCKED", true, func(p *person) { p.Run(t, "", "user", "lock", "alice") }},
		{"REPLAYED", "M_UNKNOWN_TOKEN", true, func(p *person) {
			refresh := func() (int, map[string]any) {
				return synapse.Try(t, "POST", p.Server.URL+"/_matrix/client/v3/refresh", "",
					map[string]any{"refresh_token": p.refresh})
			}
			_, answer := refresh()
			p.with(answer["access_token"].(string)).ok(t, "GET", "/_matrix/client/v3/account/whoami", nil)
			if status, answer := refresh(); status != 401 {
				t.Errorf("a replay answers %d %v", status, answer)
			}
		}},
		{"ENDED", "M_UNKNOWN_TOKEN", false, func(p *person) {
			p.Run(t, "", "session", "end", "--user", "alice", "--device", "ENDED")
		}},
		{"AGAIN", "M_UNKNOWN_TOKEN", true, func(p *person) { s.login(t, "alice", "AGAIN") }},
	} {
		p := s.login(t, "alice", c.device)
		since := p.ok(t, "GET", syncing+"?timeout=0", nil)["next_batch"].(string)
		heard := make(chan map[string]any, 1)
		go func() { heard <- p.wait(t, since) }()
		time.Sleep(1200 * time.Millisecond) // an answer that comes sooner is passed on without another look
		c.end(p)
		answer := <-heard
		if soft, _ := answer["soft_logout"].(bool); answer["errcode"] != c.code || soft != c.soft {
			t.Errorf("%s: it hears %v, want %s, soft %v", c.device, answer, c.code, c.soft)
		}
		s.Run(t, "", "user", "unlock", "alice")
	}
}

// wait polls for what takes ten minutes unless somebody ends it, and gives up after two. Like a client it asks again
// after news, such as that of the device itself, which the homeserver may hear before the session ends.
func (p *person) wait(t *testing.T, since string) (answer map[string]any) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for since != "" && ctx.Err() == nil {
		answer = p.poll(ctx, t, syncing+"?timeout=600000&since="+since)
		since, _ = answer["next_batch"].(string)
	}
	return answer
}

func (p *person) poll(ctx context.Context, t *testing.T, path string) (answer map[string]any) {
	r, err := http.NewRequestWithContext(ctx, "GET", p.Server.URL+path, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	r.Header.Set("Authorization", "Bearer "+p.access)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Error(err)
	}
	return answer
}
