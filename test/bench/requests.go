package main

import (
	"bytes"
	"errors"
	"strconv"
)

const (
	whoamiPath   = "/_matrix/client/v3/account/whoami"
	refreshPath  = "/_matrix/client/v3/refresh"
	loginPath    = "/_matrix/client/v3/login"
	versionsPath = "/_matrix/client/versions"

	agent = "postern-bench"
	head  = " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + agent + "\r\n"
)

func post(out []byte, path, body string) []byte {
	out = append(out, "POST "+path+head+"Content-Type: application/json\r\nContent-Length: "...)
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

// refreshes gives each client a session of its own, whose newest refresh token it presents. The tokens stay with the
// load, so it can be run again.
func refreshes(tokens []string) load {
	newest := append([]string(nil), tokens...)
	return load{
		clients: len(newest),
		request: func(out []byte, client, _ int) []byte {
			return post(out, refreshPath, `{"refresh_token":"`+newest[client]+`"}`)
		},
		answer: func(client int, body []byte) error {
			const field = `"refresh_token":"`
			_, rest, found := bytes.Cut(body, []byte(field))
			token, _, ended := bytes.Cut(rest, []byte(`"`))
			if !found || !ended {
				return errors.New("an answer without a refresh token")
			}
			newest[client] = string(token)
			return nil
		},
	}
}

// logins are of alice, on a new device each time.
func logins(clients int) load {
	const body = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + alice + `"},"password":"` +
		password +
		`","refresh_token":true}`
	return load{clients: clients, request: func(out []byte, _, _ int) []byte { return post(out, loginPath, body) }}
}
