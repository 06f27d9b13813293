package crash

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"postern/test/rig/process"
	"postern/tokens"
)

// one is a client of its own, and all pairs that its session has had: the first is of generation 1.
type one struct {
	*visit
	api, user, device string
	pairs             []process.Pair
}

// visit is the clients' way to a server.
type visit struct {
	*harness
	client *process.Client
	url    string
	oauth  string // the id of the OAuth 2.0 client
}

const (
	byCurrent = "current API"
	byOAuth   = "OAuth 2.0"
	byDraft   = "2015 draft"
)

var apis = []string{byCurrent, byOAuth, byDraft}

// login begins a session on a device.
func (v *visit) login(api, user, secret, device string) *one {
	v.Helper()
	var p process.Pair
	var err error
	switch api {
	case byCurrent:
		p, err = v.client.Login(v.Context(), v.url, user, secret, device)
	case byDraft:
		p, err = v.client.DraftLogin(v.Context(), v.url, user, secret)
		device = p.Device
	case byOAuth:
		var code string
		who := process.Consent{Client: v.oauth, Device: device, User: user, Password: secret}
		if code, err = v.client.Authorize(v.Context(), v.url, who); err == nil {
			p, err = v.client.Redeem(v.Context(), v.url, v.oauth, code)
		}
	}
	v.must(err)
	return &one{v, api, user, device, []process.Pair{p}}
}

// exchange exchanges the refresh token of a generation.
func (o *one) exchange(k int) (process.Pair, error) {
	token := o.pairs[k-1].Refresh
	switch o.api {
	case byOAuth:
		return o.client.RefreshOAuth(o.Context(), o.url, o.oauth, token)
	case byDraft:
		return o.client.TokenRefresh(o.Context(), o.url, token)
	}
	return o.client.Refresh(o.Context(), o.url, token)
}

// refreshed refreshes some times.
func (o *one) refreshed(times int) *one {
	o.Helper()
	for range times {
		p, err := o.exchange(len(o.pairs))
		if err != nil {
			o.Fatalf("%s: refresh: %v", o, err)
		}
		o.pairs = append(o.pairs, p)
	}
	return o
}

func (o *one) String() string { return fmt.Sprintf("%s by the %s", o.device, o.api) }

func (o *one) newest() process.Pair { return o.pairs[len(o.pairs)-1] }

// good fails unless the session goes on: its newest access token is good, it refreshes to the next generation, and the
// new one is good too.
func (o *one) good() {
	o.Helper()
	if err := o.client.Whoami(o.Context(), o.url, o.newest().Access); err != nil {
		o.Errorf("%s: its newest access token: %v", o, err)
		return
	}
	o.refreshed(1)
	token, err := tokens.Decode(o.newest().Refresh)
	if err != nil || token.Generation() != int64(len(o.pairs)) {
		o.Errorf("%s: generation %d follows, not %d (%v)", o, token.Generation(), len(o.pairs), err)
	}
	if err := o.client.Whoami(o.Context(), o.url, o.newest().Access); err != nil {
		o.Errorf("%s: its new access token: %v", o, err)
	}
}

// over fails unless the newest tokens are refused, and the logout is as soft.
func (o *one) over(why string, soft bool) {
	o.Helper()
	err := o.client.Whoami(o.Context(), o.url, o.newest().Access)
	var refusal *process.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "M_UNKNOWN_TOKEN" || refusal.SoftLogout != soft {
		o.Errorf("%s, %s: whoami: %v, want soft %t", o, why, err, soft)
	}
	_, err = o.exchange(len(o.pairs))
	if !errors.As(err, &refusal) || o.api == byCurrent && refusal.SoftLogout != soft ||
		o.api == byDraft && refusal.Status != 403 || o.api == byOAuth && !process.GrantOver(err) {
		o.Errorf("%s, %s: refresh: %v, want soft %t", o, why, err, soft)
	}
}

// shows presents the access token of a generation.
func (o *one) shows(k int) {
	if err := o.client.Whoami(o.Context(), o.url, o.pairs[k-1].Access); err != nil {
		o.Errorf("%s: access token %d: %v", o, k, err)
	}
}

// gets exchanges the refresh token of a generation and wants a pair of one of others.
func (o *one) gets(k int, want ...int64) process.Pair {
	o.Helper()
	p, err := o.exchange(k)
	if err != nil {
		o.Errorf("%s: refresh token %d: %v", o, k, err)
		return p
	}
	if token, err := tokens.Decode(p.Refresh); err != nil || !slices.Contains(want, token.Generation()) {
		o.Errorf("%s: refresh token %d gives generation %d, not one of %d (%v)", o, k, token.Generation(), want, err)
	}
	return p
}

// together does things at once, each some times.
func together(times int, what ...func()) {
	var all sync.WaitGroup
	for range times {
		for _, do := range what {
			all.Go(do)
		}
	}
	all.Wait()
}

// race presents the newest refresh token many times at once: all get the same pair.
func (o *one) race(times int) {
	o.Helper()
	var mu sync.Mutex
	got := make(map[string]bool)
	together(times, func() {
		p := o.gets(6, 7)
		mu.Lock()
		defer mu.Unlock()
		got[p.Access+" "+p.Refresh] = true
	})
	if len(got) != 1 {
		o.Errorf("%s: %d racers get %d pairs", o, times, len(got))
	}
}

// logout logs out, if it is still in.
func (o *one) logout() {
	o.Helper()
	o.must(o.client.Logout(o.Context(), o.url, o.newest().Access))
}

// again fails unless the session is over softly and its client can log in again on its device.
func (o *one) again() {
	o.Helper()
	o.over("it is lost", true)
	o.login(o.api, o.user, password, o.device).good()
}

// all does something for each client.
func all(clients []*one, do func(*one)) {
	for _, o := range clients {
		do(o)
	}
}

// refusedAs is nil if a request was refused with a code.
func refusedAs(err error, code string) error {
	var refusal *process.Refusal
	if errors.As(err, &refusal) && refusal.Code == code {
		return nil
	}
	return fmt.Errorf("not refused as %s: %w", code, err)
}
