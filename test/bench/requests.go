package main

import (
	"bytes"
	"errors"
	"net/url"
	"strconv"

	rig "postern/test/rig/process"
)

const (
	whoamiPath   = "/_matrix/client/v3/account/whoami"
	refreshPath  = "/_matrix/client/v3/refresh"
	loginPath    = "/_matrix/client/v3/login"
	versionsPath = "/_matrix/client/versions"
	metadataPath = "/_matrix/client/v1/auth_metadata"

	agent = "postern-bench"
	head  = " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + agent + "\r\n"
)

const (
	inJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func post(out []byte, path, kind, body string) []byte {
	out = append(out, "POST "+path+head+"Content-Type: "+kind+"\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	return append(out, body...)
}

// whoamis asks who the tokens belong to; pick chooses one for the n-th request of a client.
func whoamis(clients int, tokens []string, pick func(client, n int) int) load {
	return load{clients: clients, request: func(out []byte, client, n int) []byte {
		out = append(out, "GET "+whoamiPath+head+"Authorization: Bearer "...)
		out = append(out, tokens[pick(client, n)]...)
		return append(out, "\r\n\r\n"...)
	}}
}

// inTurn lets the clients go round a set of tokens, so that each is as warm as the others.
func inTurn(clients, set int) func(client, n int) int {
	return func(client, n int) int { return (client + n*clients) % set }
}

// gets ask for a path.
func gets(clients int, path string) load {
	return load{clients: clients, request: func(out []byte, _, _ int) []byte {
		return append(out, "GET "+path+head+"\r\n"...)
	}}
}

// refreshes are by the legacy API.
func refreshes(tokens []string) load {
	return renewals(tokens, func(out []byte, token string) []byte {
		return post(out, refreshPath, inJSON, `{"refresh_token":"`+token+`"}`)
	})
}

// grantRefreshes are by the OAuth 2.0 API, of one client's sessions.
func grantRefreshes(client string, tokens []string) load {
	return renewals(tokens, func(out []byte, token string) []byte { return grantRefresh(out, client, token) })
}

func grantRefresh(out []byte, client, token string) []byte {
	return post(out, rig.TokenPath, asForm, url.Values{"grant_type": {"refresh_token"}, "client_id": {client},
		"refresh_token": {token}}.Encode())
}

// renewals gives each client a session of its own, whose newest refresh token it presents. The tokens stay with the
// load, so it can be run again.
func renewals(tokens []string, request func(out []byte, token string) []byte) load {
	newest := append([]string(nil), tokens...)
	return load{
		clients: len(newest),
		request: func(out []byte, client, _ int) []byte {
			return request(out, newest[client])
		},
		answer: func(client int, body []byte) error {
			token, err := refreshToken(body)
			newest[client] = token
			return err
		},
	}
}

func refreshToken(answer []byte) (string, error) {
	_, rest, found := bytes.Cut(answer, []byte(`"refresh_token":"`))
	token, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return "", errors.New("an answer without a refresh token")
	}
	return string(token), nil
}

// logins are of alice, on a new device each time.
func logins(clients int) load {
	const body = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + alice + `"},"password":"` +
		password +
		`","refresh_token":true}`
	return load{clients: clients, request: func(out []byte, _, _ int) []byte {
		return post(out, loginPath, inJSON, body)
	}}
}
