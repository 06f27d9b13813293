package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/test/rig/matrixtest"
)

// strangeTexts are texts that PostgreSQL does not store, as they stand in a JSON body and, escaped, in an address. In
// JSON a lone surrogate becomes U+FFFD, which is stored.
var strangeTexts = []struct{ inJSON, escaped string }{
	{`ze\u0000d`, "ze%00d"}, {`\u0000`, "%00"}, {`\ud800`, "%ff"}, {`PHONE\u0000`, "PHONE%C3"},
}

// TestStrangeTexts puts such a text into every parameter and every field of every operation, one at a time. None is the
// server's failure, whatever the engine, and a request that is refused has changed nothing.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	var errors atomic.Int64
	s := newSite(t, func(c *Config) { c.Log = slog.New(countErrors{&errors}) })
	slots := 0
	sweep(t, func(op operation, _ call) {
		for _, put := range slotsOf(op) {
			for _, text := range strangeTexts {
				slots++
				c := put(s.sampleOfNew(op.id, slots), text.inJSON, text.escaped)
				before := s.accounts()
				a := s.do(c)
				if a.Status >= 500 || errors.Swap(0) > 0 {
					t.Errorf("%s %s %s: %d %s", c.Method, c.Path, c.Body, a.Status, a.Raw)
				}
				if a.Status < 400 {
					continue
				}
				if after := s.accounts(); after != before {
					t.Errorf("%s %s %s is refused with %d, but:\n%s", c.Method, c.Path, c.Body, a.Status,
						cmp.Diff(before, after))
				}
			}
		}
	})
	if slots < 200 {
		t.Errorf("only %d requests were made", slots)
	}
}

// countErrors counts what is logged as an error.
type countErrors struct{ n *atomic.Int64 }

func (c countErrors) Enabled(context.Context, slog.Level) bool { return true }
func (c countErrors) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		c.n.Add(1)
	}
	return nil
}
func (c countErrors) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c countErrors) WithGroup(string) slog.Handler      { return c }

// accounts is what a request may change.
func (s *site) accounts() string {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	sessions, err := s.db.Sessions(s.Context(), "")
	s.must(err)
	for i := range sessions {
		sessions[i].Seen, sessions[i].Used = db.Seen{}, time.Time{} // any use of a token changes these
	}
	tokens, err := s.db.RegistrationTokens(s.Context(), s.clock.Now())
	s.must(err)
	return strings.ReplaceAll(fmt.Sprint(users, "\n", sessions, "\n", tokens), "} {", "}\n{")
}

// sampleOfNew is an operation's sample for an account of its own.
func (s *site) sampleOfNew(id string, n int) call {
	s.Helper()
	name := fmt.Sprintf("user%d", n)
	s.addUser(name)
	c := sample(id, s.ok(s.do(call{Method: "POST", Path: loginPath,
		Body: loginBody(name, password, `"refresh_token":true,"device_id":"PHONE"`)})))
	c.Body = strings.ReplaceAll(strings.ReplaceAll(c.Body, "alice", name), "carol", "new"+name)
	if strings.Contains(c.Path, "SESSION") {
		c.Path = strings.ReplaceAll(c.Path, "SESSION", s.challenged(s.do(call{Method: "DELETE",
			Path: devicePath("PHONE"), Token: c.Token})))
	}
	return c
}

// A slot puts a text into one place of a request.
type slot = func(c call, inJSON, escaped string) call

// slotsOf lists the places of an operation's requests that take a text.
func slotsOf(op operation) (all []slot) {
	for template, item := range matrixtest.Contract().Paths.Map() {
		for _, o := range item.Operations() {
			if o.OperationID != op.id {
				continue
			}
			for _, p := range append(item.Parameters, o.Parameters...) {
				all = append(all, parameterSlot(template, p.Value))
			}
			if o.RequestBody == nil {
				continue
			}
			for kind, media := range o.RequestBody.Value.Content {
				for _, path := range textsOf(media.Schema.Value, nil) {
					all = append(all, bodySlot(kind, path))
				}
			}
		}
	}
	return append(all, func(c call, _, escaped string) call {
		c.Token, c.Path = "", c.Path+map[bool]string{true: "&", false: "?"}[strings.Contains(c.Path, "?")]+
			"access_token="+escaped
		return c
	})
}

func parameterSlot(template string, p *openapi3.Parameter) slot {
	return func(c call, _, escaped string) call {
		path, query, _ := strings.Cut(c.Path, "?")
		if p.In == "path" {
			segments := strings.Split(path, "/")
			for i, part := range strings.Split(template, "/") {
				if part == "{"+p.Name+"}" {
					segments[i] = escaped
				}
			}
			c.Path = strings.Join(segments, "/") + "?" + query
			return c
		}
		values, _ := url.ParseQuery(query)
		values.Del(p.Name)
		c.Path = path + "?" + p.Name + "=" + escaped + "&" + values.Encode()
		return c
	}
}

// textsOf lists the members of a body that are texts, each by its path.
func textsOf(schema *openapi3.Schema, path []string) (all [][]string) {
	switch {
	case schema.Type.Is("string"):
		return [][]string{path}
	case schema.Type.Is("array"):
		return textsOf(schema.Items.Value, append(path[:len(path):len(path)], ""))
	}
	for name, property := range schema.Properties {
		all = append(all, textsOf(property.Value, append(path[:len(path):len(path)], name))...)
	}
	return all
}

// bodySlot sets a member of the body, or adds to a list.
func bodySlot(kind string, path []string) slot {
	return func(c call, inJSON, escaped string) call {
		if kind != "application/json" {
			c.Body = path[0] + "=" + escaped + "&" + c.Body // of two of one name the first one counts
			return c
		}
		body := make(map[string]any)
		_ = json.Unmarshal([]byte(c.Body), &body) // a sample may have no body
		text, _ := json.Marshal(with(body, path, "STRANGE"))
		c.Body = strings.ReplaceAll(string(text), "STRANGE", inJSON)
		return c
	}
}

// with is a value with a text at a path.
func with(value any, path []string, text string) any {
	if len(path) == 0 {
		return text
	}
	if path[0] == "" {
		list, _ := value.([]any)
		return append(list, with(nil, path[1:], text))
	}
	object, ok := value.(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	object[path[0]] = with(object[path[0]], path[1:], text)
	return object
}

// TestNoSuchName holds that what nobody can have is not found, or not good, as everything else that is not there.
func TestNoSuchName(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Registration = RegistrationToken })
	token := s.loggedIn().Text("access_token")
	s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(`ze\u0000d`, password, "")}), 403, "M_FORBIDDEN")
	s.want(s.do(call{Method: "POST", Path: draftLoginPath, Body: `{"username":"ze\u0000d","password":"x"}`}), 403,
		"M_FORBIDDEN")
	s.want(s.do(call{Method: "GET", Path: devicePath("%ff"), Token: token}), 404, "M_NOT_FOUND")
	s.want(s.do(call{Method: "PUT", Path: devicePath("%00"), Token: token, Body: `{"display_name":"x"}`}), 404,
		"M_NOT_FOUND")
	s.want(s.do(call{Method: "GET", Path: registerPath + "/available?username=%00"}), 400, "M_INVALID_USERNAME")
	const validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token="
	for _, text := range []string{"%00", "%ff"} {
		if a := s.ok(s.do(call{Method: "GET", Path: validity + text})); a.JSON["valid"] != false {
			t.Errorf("%s: %s", text, a.Raw)
		}
	}
}
