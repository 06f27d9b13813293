//go:build lesson

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/tokens"
)

// TestLesson says which steps are right so far. `lesson check` runs it.
func TestLesson(t *testing.T) {
	for i, step := range []struct {
		goal  string
		check func() error
	}{
		{"Only the right password logs in.", passwords},
		{"The contract gives a login a refresh token.", contractOfLogin},
		{"The program is made from that contract.", generated},
		{"A login gives both tokens.", pairs},
		{"The contract has POST /tokenrefresh.", contractOfRefresh},
		{"A refresh token gets a new pair, once.", refreshes},
	} {
		if err := step.check(); err != nil {
			fmt.Printf("step %d: not yet. %s\n        %v\n", i+1, step.goal, err)
			t.FailNow()
		}
		fmt.Printf("step %d: right. %s\n", i+1, step.goal)
	}
}

// Step 1.
func passwords() error {
	for _, c := range []struct {
		username, password string
		want               int
	}{
		{"alice", "wonderland", 200},
		{"@alice:localhost", "wonderland", 200},
		{"alice", "looking-glass", 403},
		{"alice", "", 403},
		{"bob", "wonderland", 403},
	} {
		status, answer, err := login(newProgram(), c.username, c.password)
		if err != nil {
			return err
		}
		if status != c.want {
			return fmt.Errorf("%q with the password %q should be %d, and is %d: %v", c.username, c.password, c.want,
				status, answer)
		}
	}
	return nil
}

// Step 2.
func contractOfLogin() error { return declares("/login", "200", "access_token!", "refresh_token") }

// Step 3. That this file compiles beside server.go is the other half.
func generated() error {
	if _, has := reflect.TypeFor[Login200JSONResponse]().FieldByName("RefreshToken"); !has {
		return errors.New("api.go is older than login.yaml: `go generate ./lesson`")
	}
	return nil
}

// Step 4.
func pairs() error {
	p := newProgram()
	_, answer, err := login(p, "alice", "wonderland")
	if err != nil {
		return err
	}
	return p.isPair(answer)
}

// Step 5.
func contractOfRefresh() error {
	return cmp.Or(
		declares("/tokenrefresh", "200", "access_token!", "refresh_token"),
		declares("/tokenrefresh", "403", "errcode!", "error!"),
		declares("/tokenrefresh", "", "refresh_token!"))
}

// Step 6.
func refreshes() error {
	p := newProgram()
	_, first, err := login(p, "alice", "wonderland")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, token string
		want        int
	}{
		{"a token that nobody has minted", "any", 403},
		{"an access token", first["access_token"], 403},
		{"a refresh token", first["refresh_token"], 200},
		{"the same again", first["refresh_token"], 403},
	} {
		status, answer, err := p.ask("/tokenrefresh", map[string]string{"refresh_token": c.token})
		switch {
		case err != nil:
			return err
		case status != c.want:
			return fmt.Errorf("%s should be %d, and is %d: %v", c.what, c.want, status, answer)
		case status == 200 && answer["refresh_token"] == c.token:
			return fmt.Errorf("%s gives itself; a new pair has another generation", c.what)
		case status == 200:
			err = p.isPair(answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// program is a server of its own for each check.
type program struct {
	*server
	http.Handler
}

func newProgram() program {
	s, err := newServer()
	if err != nil {
		panic(err) // there is no randomness
	}
	return program{s, routes(s)}
}

func login(p program, username, password string) (int, map[string]string, error) {
	return p.ask("/login", map[string]string{"username": username, "password": password})
}

// ask gives the status and the fields of an answer.
func (p program) ask(path string, body map[string]string) (int, map[string]string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	r := httptest.NewRequest("POST", "/_matrix/client/api/v1"+path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	var answer map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return 0, nil, fmt.Errorf("%s answers %d %s: %w", path, w.Code, w.Body, err)
	}
	return w.Code, answer, nil
}

// isPair reports what is wrong with the tokens of an answer.
func (p program) isPair(answer map[string]string) error {
	now := time.Now()
	for _, kind := range []tokens.Type{tokens.Refresh, tokens.Access} {
		token := answer[string(kind)+"_token"]
		if token == "" {
			return fmt.Errorf("there is no %s token in the answer", kind)
		}
		claims, err := tokens.Verify(token, serverName, tokens.NewKeyring(p.key), kind, nil, tokens.Request{Now: now})
		switch {
		case err != nil:
			return fmt.Errorf("the %s token is not good: %w", kind, err)
		case kind == tokens.Access && claims.Expires.IsZero():
			return errors.New("the access token never expires")
		case kind == tokens.Access && claims.Expires.After(now.Add(time.Hour)):
			return errors.New("the access token is good for more than an hour")
		case kind == tokens.Refresh && !claims.Expires.IsZero():
			return errors.New("the refresh token expires")
		}
	}
	return nil
}

// declares looks in login.yaml for the fields of an answer or, without a status, of the request. One that ends in an
// exclamation mark is required, and the others are not.
func declares(path, status string, fields ...string) error {
	contract, err := openapi3.NewLoader().LoadFromFile("login.yaml")
	if err != nil {
		return err
	}
	item := contract.Paths.Find(path)
	if item == nil || item.Post == nil {
		return fmt.Errorf("login.yaml has no POST %s", path)
	}
	want := map[string]string{"/login": "login", "/tokenrefresh": "tokenRefresh"}[path]
	if item.Post.OperationID != want {
		return fmt.Errorf("the operationId of POST %s is %q and not %s", path, item.Post.OperationID, want)
	}
	what, content := "the request of POST "+path, openapi3.Content(nil)
	if status == "" && item.Post.RequestBody != nil {
		content = item.Post.RequestBody.Value.Content
	} else if answer := item.Post.Responses.Value(status); answer != nil {
		what, content = "the answer "+status+" of POST "+path, answer.Value.Content
	}
	if content["application/json"] == nil || content["application/json"].Schema == nil {
		return fmt.Errorf("%s is not described as application/json with a schema", what)
	}
	schema := content["application/json"].Schema.Value
	for _, field := range fields {
		name, required := strings.CutSuffix(field, "!")
		if schema.Properties[name] == nil {
			return fmt.Errorf("%s has no field %s", what, name)
		}
		if slices.Contains(schema.Required, name) != required {
			return fmt.Errorf("%s: it should be %v that the field %s is required", what, required, name)
		}
	}
	return nil
}
