package fleet

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"postern/test/rig/process"
)

// grant is what a client of the OAuth 2.0 API has on its way to a session, and for moments after it.
type grant struct {
	client   string    // its id
	code     string    // empty: it has none
	made     time.Time // before the code was made
	sent     time.Time // when the code was first presented; zero: not yet
	redeemed bool      // the answer came, and no token was used since
}

// What a client may rely on, less some time for a slow machine: package oauth has a code live for two minutes, and lets
// it be redeemed again for 20 s.
const (
	codeLife = 100 * time.Second
	moments  = 15 * time.Second
)

// mayBeOver reports whether the code may be refused.
func (g *grant) mayBeOver(l loss) bool {
	return l.behind(g.made) || time.Since(g.made) > codeLife || !g.sent.IsZero() && time.Since(g.sent) > moments
}

// used forgets a code of which the tokens are used.
func (g *grant) used() {
	if g.redeemed {
		*g = grant{client: g.client}
	}
}

// ask has the account's owner agree, unless the client has a code.
func (m *member) ask(ctx context.Context, url string) (err error) {
	f, g := m.fleet, &m.grant
	if g.client == "" {
		if g.client, err = f.client.RegisterOAuth(ctx, url); err != nil {
			return during("registration", err)
		}
	}
	if g.code != "" {
		return nil
	}
	g.made = time.Now()
	g.code, err = f.client.Authorize(ctx, url, process.Consent{Client: g.client, Device: m.name,
		User: f.config.User, Password: f.config.Password})
	if err != nil {
		f.count(&f.tally.Leaves)
		return during("consent", err)
	}
	f.count(&f.tally.Codes)
	return nil
}

// authorize goes on to a session from wherever it was interrupted: its owner agrees, and it redeems the code, again if
// it does not know what became of that.
func (m *member) authorize(ctx context.Context, url string) (p process.Pair, err error) {
	f, g := m.fleet, &m.grant
	g.used()
	if err := m.ask(ctx, url); err != nil {
		return p, err
	}
	again := !g.sent.IsZero()
	if !again {
		g.sent = time.Now()
	}
	p, err = f.client.Redeem(ctx, url, g.client, g.code)
	switch {
	case err == nil && again:
		f.count(&f.tally.Redeemed)
	case process.GrantOver(err) && g.mayBeOver(f.lost()):
		f.count(&f.tally.Late)
		*g = grant{client: g.client}
		return m.authorize(ctx, url)
	}
	g.redeemed = err == nil
	return p, err
}

// comeAgain is what only a client of this API does: it is let in anew on its device, which replaces its session, or
// redeems the code of its session again before it has used a token.
func (m *member) comeAgain(ctx context.Context, url string) error {
	f, g := m.fleet, &m.grant
	switch {
	case g.code == "":
		return m.ask(ctx, url)
	case !g.redeemed:
		return m.login(ctx, url)
	}
	pair, err := f.client.Redeem(ctx, url, g.client, g.code)
	switch {
	case process.GrantOver(err) && g.mayBeOver(f.lost()):
		return m.login(ctx, url) // a second use: the session is over
	case err != nil:
		return during("a code that comes again", err)
	case f.lost().took(m.began):
		return nil // it was redeemed once more
	case pair.Access != m.pair.Access || pair.Refresh != m.pair.Refresh:
		return fmt.Errorf("a code that comes again gives %s, not %s", pair.Raw, bytes.TrimSpace(m.pair.Raw))
	}
	f.count(&f.tally.Recodes)
	return nil
}
