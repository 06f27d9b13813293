package synapse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/test/rig/fakesynapse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "the_secret_of_the_tests"

func newClient(t *testing.T, url string) *Client {
	t.Helper()
	c := New(Config{URL: url + "/", Secret: secret, Timeout: 300 * time.Millisecond})
	t.Cleanup(c.Close)
	return c
}

// A strict homeserver accepts each call, and the client understands each answer.
func TestCalls(t *testing.T) {
	t.Parallel()
	there := fakesynapse.New(t, secret)
	there.Mended()
	c := newClient(t, there.URL)
	ctx := t.Context()
	yes, name, long := true, "phone", strings.Repeat("ü", 101)
	for i, step := range []struct {
		do   func() error
		want error
	}{
		{func() error { return c.LocalpartAvailable(ctx, "alice") }, nil},
		{func() error { return c.UpsertDevice(ctx, "alice", "A", nil) }, ErrNotFound},
		{func() error { return c.DeleteDevice(ctx, "alice", "A") }, ErrNotFound},
		{func() error { return c.DeleteUser(ctx, "alice", false) }, ErrNotFound},
		{func() error { return c.ReactivateUser(ctx, "alice") }, ErrNotFound},
		{func() error { return c.AllowCrossSigningReset(ctx, "alice") }, ErrNotFound},
		{func() error { _, err := c.QueryUser(ctx, "alice"); return err }, ErrNotFound},
		{func() error { return made(c.ProvisionUser(ctx, "alice", nil, nil)) }, nil},
		{func() error { return had(c.ProvisionUser(ctx, "alice", &yes, nil)) }, nil},
		{func() error { return c.UpsertDevice(ctx, "alice", "A", &long) }, nil},
		{func() error { return c.UpsertDevice(ctx, "alice", "A", nil) }, nil},
		{func() error { return c.UpsertDevice(ctx, "alice", "A", &name) }, nil},
		{func() error { return c.UpsertDevice(ctx, "alice", "B", nil) }, nil},
		{func() error { return c.DeleteDevice(ctx, "alice", "B") }, nil},
		{func() error { return c.DeleteDevice(ctx, "alice", "B") }, nil},
		{func() error { return c.AllowCrossSigningReset(ctx, "alice") }, nil},
		{func() error { return c.LocalpartAvailable(ctx, "a/b+c d&e") }, &Refusal{Code: "M_INVALID_USERNAME"}},
		{func() error { return c.LocalpartAvailable(ctx, "alice") }, &Refusal{Code: "M_USER_IN_USE"}},
		{func() error { _, err := c.ProvisionUser(ctx, "Upper", nil, nil); return err }, &Refusal{Code: "M_INVALID_USERNAME"}},
	} {
		err := step.do()
		var want, got *Refusal
		if errors.As(step.want, &want) {
			if !errors.As(err, &got) || got.Code != want.Code {
				t.Errorf("step %d: %v", i, err)
			}
		} else if !errors.Is(err, step.want) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if u := there.User("alice"); !u.Locked || len(u.Devices) != 1 || u.Devices["A"].Name != name {
		t.Errorf("it has %+v", u)
	}
	err := c.DeleteUser(ctx, "alice", true)
	if u, err2 := c.QueryUser(ctx, "alice"); err != nil || err2 != nil || !u.Deactivated {
		t.Errorf("%+v, %v, %v", u, err, err2)
	}
	if err := c.ReactivateUser(ctx, "alice"); err != nil || there.User("alice").Deactivated {
		t.Error(err)
	}
}

func made(made bool, err error) error {
	if err == nil && !made {
		err = errors.New("it was there")
	}
	return err
}

func had(made bool, err error) error {
	if err == nil && made {
		err = errors.New("it was made")
	}
	return err
}

// TestMadeMeanwhile: if two calls make an account at the same time, both succeed.
func TestMadeMeanwhile(t *testing.T) {
	t.Parallel()
	there := fakesynapse.New(t, secret)
	there.Collide()
	c := newClient(t, there.URL)
	if made, err := c.ProvisionUser(t.Context(), "alice", nil, nil); err != nil || made {
		t.Errorf("%v, %v", made, err)
	}
	if there.User("alice") == nil {
		t.Error("there is no account")
	}
}

// An answer that is not Synapse's is ErrAway. It ends in time, and redirects are not followed.
func TestAway(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"500":                      says(500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`),
		"502":                      says(502, `<html>Bad gateway</html>`),
		"a page":                   says(200, `<html>welcome</html>`),
		"nothing":                  says(200, ``),
		"a list":                   says(200, `[]`),
		"a page that is not found": says(404, `<html>`),
		"another 404":              says(404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`),
		"another 400":              says(400, `{}`),
		"the wrong secret": says(403,
			`{"errcode":"M_UNKNOWN","error":"This endpoint must only be called by MAS"}`),
		"no secret": says(401, `{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}`),
		"too many":  says(429, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many"}`),
		"too much":  says(200, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`),
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else net/http does not see that the client goes
			select {
			case <-r.Context().Done():
			case <-time.After(2 * time.Second):
			}
		},
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"user`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := httptest.NewServer(handler)
			t.Cleanup(at.Close)
			c := newClient(t, at.URL)
			_, err := c.QueryUser(t.Context(), "alice")
			err2 := c.UpsertDevice(t.Context(), "alice", "A", nil)
			if !errors.Is(err, ErrAway) || !errors.Is(err2, ErrAway) || errors.Is(err, ErrNotFound) {
				t.Errorf("%v; %v", err, err2)
			}
			if text := fmt.Sprintf("%v %+v", err, err2); strings.Contains(text, secret) {
				t.Errorf("the error shows the secret: %s", text)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		c := newClient(t, "http://127.0.0.1:1")
		if err := c.DeleteDevice(t.Context(), "alice", "A"); !errors.Is(err, ErrAway) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.DeleteDevice(ctx, "alice", "A"); !errors.Is(err, ErrAway) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if elsewhere.Load() > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// The secret is not sent to a proxy of the environment.
func TestNoProxy(t *testing.T) {
	if transport := New(Config{URL: "http://192.0.2.1"}).http.Transport.(*http.Transport); transport.Proxy != nil {
		t.Error("a proxy of the environment would be used")
	}
}
