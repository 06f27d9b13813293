package fleet

import (
	"context"
	"errors"
	"fmt"

	"postern/test/rig/process"
)

// Restored holds a server to what it owes after its database went back to an earlier moment: nobody is logged out for
// good. A client whose session has a row goes on, whatever it presents first and however far behind the row is; one
// whose session began after that moment is logged out softly, and logs in again on its device. Nobody may be using the
// server meanwhile.
func (f *Fleet) Restored(ctx context.Context, url string,
	row func(session string) (generation int64, there bool, err error)) error {
	for _, m := range f.members {
		if m.pair.Refresh == "" || m.leaving {
			continue
		}
		var err error
		if m.row, m.there, err = row(m.session); err != nil {
			return err
		}
		if m.there && m.row < m.generation {
			f.count(&f.tally.Behind)
		}
	}
	f.each(func(m *member) {
		if err := m.restored(ctx, url); err != nil {
			f.fail(fmt.Errorf("%s: after the database went back to generation %d (there: %t): %w",
				m, m.row, m.there, err))
		}
	})
	return f.Err()
}

func (m *member) restored(ctx context.Context, url string) error {
	m.ended = ""                            // it may be good again: the logout may not have happened
	m.grant = grant{client: m.grant.client} // nor the consent
	if m.pair.Refresh == "" || m.leaving {
		return m.login(ctx, url)
	}
	if !m.there {
		return m.unknown(ctx, url)
	}
	if err := m.first(ctx, url); err != nil {
		return err
	}
	if err := m.refresh(ctx, url); err != nil {
		return err
	}
	if err := m.again(ctx, url); err != nil {
		return err
	}
	return m.check(ctx, url)
}

// first presents something before the newest refresh token, or nothing: by chance.
func (m *member) first(ctx context.Context, url string) error {
	f := m.fleet
	switch n := m.random.IntN(4); {
	case n == 0:
		return m.check(ctx, url)
	case n == 1 && m.previous.Access != "" && m.api != draft:
		return during("the access token before", f.client.Whoami(ctx, url, m.previous.Access))
	case n == 2 && m.previous.Refresh != "" && m.api != draft && !m.lost:
		_, err := m.exchange(ctx, url, m.previous.Refresh) // the pair that it got, or one of the same generation
		return during("the refresh token before", err)
	}
	return nil
}

// unknown wants a session that the database does not know to be over softly, and begins another one.
func (m *member) unknown(ctx context.Context, url string) error {
	f := m.fleet
	access, refresh := m.pair.Access, m.pair.Refresh
	if err := softly(f.client.Whoami(ctx, url, access)); err != nil {
		return during("whoami", err)
	}
	_, err := m.exchange(ctx, url, refresh)
	switch m.api {
	case current:
		err = softly(err)
	case draft:
		err = refused(err, 403, "M_FORBIDDEN")
	case oauth:
		if process.GrantOver(err) {
			err = nil
		}
	}
	if err != nil {
		return during("refresh", err)
	}
	f.count(&f.tally.Forgotten)
	return m.login(ctx, url)
}

// softly is nil if a token was refused and its client may keep its device.
func softly(err error) error {
	var refusal *process.Refusal
	if errors.As(err, &refusal) && !refusal.SoftLogout {
		return fmt.Errorf("hard: %w", err)
	}
	return refused(err, 401, "M_UNKNOWN_TOKEN")
}
