package page

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/tokens"
)

type judge = func(ctx context.Context, token string, want tokens.Type, r tokens.Request) (tokens.Claims, error)

// verdict says whether a token opens a request, or whether it is good at all.
type verdict struct {
	Open    bool   `json:"open"`
	Why     string `json:"why"`              // in plain words
	Caveat  string `json:"caveat,omitempty"` // the first one that refuses
	Errcode string `json:"errcode,omitempty"`
}

// trial holds a token against requests.
type trial struct {
	judge judge
	token string
	kind  tokens.Type // as it claims
	now   time.Time
}

// request judges one row of the table.
func (t trial) request(ctx context.Context, r tokens.Request) verdict {
	r.Now = t.now
	_, err := t.judge(ctx, t.token, wanted(r.Path), r)
	if err == nil {
		return verdict{Open: true, Why: "Opens it."}
	}
	return refused(err, r)
}

// wanted is the type of token that a request is about. Refresh tokens are exchanged at two paths; they travel in the
// body there.
func wanted(path string) tokens.Type {
	if strings.HasPrefix(path, "/_matrix/client/") &&
		(strings.HasSuffix(path, "/refresh") || strings.HasSuffix(path, "/tokenrefresh")) {
		return tokens.Refresh
	}
	return tokens.Access
}

// alone judges the token apart from any request: a caveat about one says nothing then, and is passed over.
func (t trial) alone(ctx context.Context) verdict {
	if t.kind == tokens.Login {
		return verdict{Why: "A login token. It logs one device in, once, at POST /_matrix/client/v3/login, and opens " +
			"no request."}
	}
	claims, err := t.judge(ctx, t.token, t.kind, tokens.Request{Now: t.now})
	var caveat *tokens.CaveatError
	switch {
	case err == nil:
		return verdict{Open: true, Why: "The signature holds and the session is live" + lasting(claims.Expires, t.now) +
			"."}
	case errors.As(err, &caveat) && caveat.OfRequest():
		return verdict{Open: true, Why: "The signature holds and the session is live. The token is restricted to " +
			"some requests; see which below."}
	}
	return refused(err, tokens.Request{Now: t.now})
}

func lasting(expires, now time.Time) string {
	if expires.IsZero() {
		return ", and the token does not expire"
	}
	return ", and the token is good until " + moment(expires, now)
}

// refused says in plain words why a token does not open a request.
func refused(err error, r tokens.Request) verdict {
	v := verdict{Errcode: errcode(err)}
	var caveat *tokens.CaveatError
	switch {
	case errors.As(err, &caveat):
		v.Caveat, v.Why = printable(caveat.Caveat), refusal(caveat, r)
	case errors.Is(err, tokens.ErrExpired):
		v.Why = "The token has expired."
	case errors.Is(err, tokens.ErrUnknownKey):
		v.Why = "The signature does not hold: this server has no root key of that number, or no longer."
	case errors.Is(err, tokens.ErrSignature):
		v.Why = "The signature does not hold: this server did not mint the token, or it was altered since."
	default:
		v.Why = sentence(err)
	}
	return v
}

// errcode is the Matrix error code that an error of the server's begins with.
func errcode(err error) string {
	if code, _, found := strings.Cut(err.Error(), ": "); found && strings.HasPrefix(code, "M_") {
		return code
	}
	return ""
}

// sentence is what an error of the server's says after its code.
func sentence(err error) string {
	if errcode(err) == "" {
		return err.Error()
	}
	_, text, _ := strings.Cut(err.Error(), ": ")
	return text
}

// refusal says why a caveat does not hold, with the fact that it met.
func refusal(e *tokens.CaveatError, r tokens.Request) string {
	caveat, err := tokens.ParseCaveat(e.Caveat)
	if err != nil {
		return fmt.Sprintf("The caveat %s is missing or cannot be read, which refuses the token.", printable(e.Caveat))
	}
	if e.Reason.Error() != "does not hold" { // an unknown key or operator, or a value that cannot be read
		return fmt.Sprintf("The token is refused: %s in a caveat.", e.Reason)
	}
	switch caveat.Key {
	case "method":
		return "The method is " + r.Method + "."
	case "path":
		return "The path is not " + printable(caveat.Value) + " nor below it."
	case "addr":
		return "The client's address is " + r.Addr.String() + "."
	case "type":
		return "It is " + article(caveat.Value) + " token, and this asks for another kind."
	case "time":
		return "It is " + r.Now.UTC().Format(clock) + " now."
	case "device_id":
		return "The session's device is another."
	}
	return "It does not hold."
}
