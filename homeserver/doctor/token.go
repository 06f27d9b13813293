package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"postern/db"
	"postern/tokens"
)

// tokenLife is how long the token of doctor's is good.
const tokenLife = time.Minute

// realToken shows Synapse a token of a session that is in use and says what came back: Synapse asks Postern about it,
// and knows the user and the device, or does not. The token is one more of the session's generation, with an expiry of
// its own; it is not noted that it was used, so the session's client sees nothing of it.
func (x *examination) realToken(ctx context.Context) {
	if !x.synapseObeys || !x.posternAnswers || x.DB == nil || x.MovedOut != nil {
		return // a finding says what is to be done first
	}
	if x.Master == nil {
		x.warn("no token was sent through both sides: the master key is not here", "name it with --master-key-file, "+
			"as a user who may read it")
		return
	}
	s, err := x.someSession(ctx)
	if err != nil {
		x.problem(err.Error(), "see --db")
		return
	}
	if s.ID == "" {
		x.ok("no token was sent through both sides: nobody is logged in")
		return
	}
	token, err := x.mint(ctx, s)
	if err != nil {
		x.warn("no token was sent through both sides: "+err.Error(), "see --master-key-file")
		return
	}
	a := ask(ctx, http.MethodGet, x.homeserverURL()+"/_matrix/client/v3/account/whoami", token, "")
	x.cameBack(s, a)
}

// someSession is the live session of a client that was used last; the zero value if there is none.
func (x *examination) someSession(ctx context.Context) (newest db.Session, err error) {
	err = x.DB.EachSession(ctx, func(s db.Session) error {
		if s.Scope == "" && s.Accepts(s.Generation, x.Now()) == nil &&
			(newest.ID == "" || s.Seen.At.After(newest.Seen.At)) {
			newest = s
		}
		return nil
	})
	return newest, err
}

// mint makes the token.
func (x *examination) mint(ctx context.Context, s db.Session) (string, error) {
	keys, err := x.DB.RootKeys(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.ID != s.KeyID {
			continue
		}
		key, err := x.Master.Unwrap(k.ID, k.Wrapped)
		if err != nil {
			return "", err
		}
		name := x.Synapse.ServerName()
		return tokens.Mint(name, key, tokens.Claims{Session: s.ID, Generation: s.Generation,
			UserID: "@" + s.Localpart + ":" + name, Type: tokens.Access, Expires: x.Now().Add(tokenLife)})
	}
	return "", fmt.Errorf("the root key %d of the session is not there", s.KeyID)
}

// cameBack says what Synapse's answer means.
func (x *examination) cameBack(s db.Session, a answer) {
	var who struct {
		UserID   string `json:"user_id"`
		DeviceID string `json:"device_id"`
	}
	_ = json.Unmarshal(a.body, &who)
	user := "@" + s.Localpart + ":" + x.Synapse.ServerName()
	what := fmt.Sprintf("a good token of %s, device %s, shown to Synapse, came back with ", user, s.DeviceID)
	switch {
	case a.status == http.StatusOK && who.UserID == user && who.DeviceID == s.DeviceID:
		x.ok("a real token went through both sides: Synapse knows it for %s, device %s", user, s.DeviceID)
	case a.status == http.StatusOK:
		x.problem(what+"another user or device: "+who.UserID+" "+who.DeviceID, "see whether Postern is started with "+
			"this database (--db)")
	case a.status == http.StatusUnauthorized:
		x.problem(what+"401 "+a.code, "if `postern synapse outbox` lists the device, Synapse learns of it; else see "+
			"whether Postern is started with this database (--db)")
	case a.status == http.StatusServiceUnavailable:
		x.problem(what+"503: Synapse cannot use Postern's answers", fmt.Sprintf("Synapse's log says why; see that it "+
			"is %s or newer, and that Postern is this release", Oldest))
	default:
		x.problem(fmt.Sprintf("%s%d %s", what, a.status, cmp.Or(a.code, "-")), "Synapse's log says why; if it does "+
			"not know the user, its database is older than Postern's")
	}
}
