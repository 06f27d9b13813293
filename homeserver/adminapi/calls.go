package adminapi

import (
	"net/http"
	"net/url"
	"strings"

	"postern/homeserver/front"
)

// Prefix is what all paths of the admin API begin with.
const Prefix = "/_synapse/admin/"

// Kind is what becomes of a request.
type Kind string

// The kinds, as docs/admin-tools.md has them. Passes is that of all requests that are in no table.
const (
	Answered  Kind = "answered"
	Both      Kind = "both"
	Followed  Kind = "followed"
	Corrected Kind = "corrected"
	Passes    Kind = "passes"
)

// Call is a request that does not just pass.
type Call struct {
	Method, Path string // below Prefix; * stands for one segment
	Kind         Kind

	Args []string // the segments for which a * stands, decoded; of one that Find has found

	operation func(a *API, c Call) front.Operation
}

// Calls lists the requests that do not just pass.
var Calls = []Call{
	{http.MethodPut, "v2/users/*", Both, nil, through((*API).putUser)},
	{http.MethodPost, "v1/deactivate/*", Followed, nil, through((*API).deactivate)},
	{http.MethodDelete, "v2/users/*/devices/*", Followed, nil, through((*API).deleteDevice)},
	{http.MethodPut, "v2/users/*/devices/*", Followed, nil, through((*API).renameDevice)},
	{http.MethodPost, "v2/users/*/delete_devices", Followed, nil, through((*API).deleteDevices)},
	{http.MethodGet, "v2/users/*", Corrected, nil, (*API).getUser},
	{http.MethodGet, "v2/users", Corrected, nil, (*API).listUsers},
	{http.MethodGet, "v3/users", Corrected, nil, (*API).listUsers},
	{http.MethodPost, "v1/reset_password/*", Answered, nil, answers((*API).resetPassword)},
	{http.MethodGet, "v1/users/*/admin", Answered, nil, answers((*API).isAdmin)},
	{http.MethodPut, "v1/users/*/admin", Answered, nil, answers((*API).setAdmin)},
	{http.MethodPost, "v1/users/*/login", Answered, nil, answers((*API).login)},
	{http.MethodGet, "v1/username_available", Answered, nil, answers((*API).usernameAvailable)},
	{http.MethodGet, "v1/registration_tokens", Answered, nil, answers((*API).listTokens)},
	{http.MethodPost, "v1/registration_tokens/new", Answered, nil, answers((*API).newToken)},
	{http.MethodGet, "v1/registration_tokens/*", Answered, nil, answers((*API).getToken)},
	{http.MethodPut, "v1/registration_tokens/*", Answered, nil, answers((*API).putToken)},
	{http.MethodDelete, "v1/registration_tokens/*", Answered, nil, answers((*API).deleteToken)},
	{http.MethodGet, "v1/register", Answered, nil, open((*API).nonce)},
	{http.MethodPost, "v1/register", Answered, nil, open((*API).register)},
}

// Find finds what becomes of a request by its path as it came, escaped: as Synapse does, which compares the words of a
// path as they were sent and decodes only what stands between them.
func Find(method, path string) Call {
	rest, found := strings.CutPrefix(path, Prefix)
	if found {
		segments := strings.Split(rest, "/")
		for _, call := range Calls {
			if call.Method != method {
				continue
			}
			if args, fits := match(strings.Split(call.Path, "/"), segments); fits {
				call.Args = args
				return call
			}
		}
	}
	return Call{Method: method, Path: rest, Kind: Passes}
}

// match compares a path with a pattern, and gives the segments for which a * stands.
func match(pattern, segments []string) (args []string, fits bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	for i, word := range pattern {
		switch {
		case word == "*":
			plain, err := url.PathUnescape(segments[i])
			if err != nil { // unreachable: net/http has decoded it before
				return nil, false
			}
			args = append(args, plain)
		case word != segments[i]:
			return nil, false
		}
	}
	return args, true
}
