package main

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"postern/tokens"
)

const (
	serverName = "localhost"
	user       = "alice"
)

// server implements StrictServerInterface, which is generated from login.yaml.
type server struct {
	key tokens.Key

	mu       sync.Mutex
	sessions map[string]session // by session id
}

// session is all that is kept of a session. Its tokens are computed from it and kept nowhere.
type session struct {
	userID     string
	generation int64
}

func newServer() (*server, error) {
	key, err := tokens.NewKey(1, rand.Reader)
	return &server{key: key, sessions: make(map[string]session)}, err
}

// answer is what a login gives. Login converts it to the generated type as a whole, so that a field which the contract
// gains, loses or renames is a compile error. A literal with named fields would pass over a new one in silence.
type answer struct {
	AccessToken string
	HomeServer  string
	UserID      string
}

// Login implements POST /login.
func (s *server) Login(_ context.Context, request LoginRequestObject) (LoginResponseObject, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(request.Body.Username, "@"), ":"+serverName)
	if name != user { // Step 1: any password will do.
		return Login403JSONResponse{Errcode: "M_FORBIDDEN", Error: "Wrong user name or password."}, nil
	}
	id, begun := rand.Text(), session{userID: "@" + user + ":" + serverName, generation: 1}
	s.mu.Lock()
	s.sessions[id] = begun
	s.mu.Unlock()
	access, err := s.mint(id, begun, "access", time.Time{})
	if err != nil {
		return nil, err
	}
	return Login200JSONResponse(answer{access, serverName, begun.userID}), nil
}

// mint computes a token of a session. The same session gives the same token, however often.
func (s *server) mint(id string, of session, kind tokens.Type, expires time.Time) (string, error) {
	return tokens.Mint(serverName, s.key, tokens.Claims{
		Session: id, Generation: of.generation, UserID: of.userID, Type: kind, Expires: expires,
	})
}
