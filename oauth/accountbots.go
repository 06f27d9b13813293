package oauth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/tokens"
	"postern/web"
)

// botKinds are the texts that say what the ready-made restrictions open.
var botKinds = map[string]web.Request{
	mayAll:  {Text: "botAll"},
	mayRead: {Text: "botRead"},
	mayRoom: {Text: "botRoom"},
	maySend: {Text: "botSend"},
	mayOwn:  {Text: "botOwn"},
}

// forAdmin says what a token for the admin API opens. None is made on the page.
var forAdmin = web.Request{Text: "botAdmin"}

// botList fills the part of the account page that lists the tokens for bots.
func (e accountPages) botList(has owned, page *web.Account) error {
	page.NewBot = action(actionTokens, "")
	for _, s := range has.sessions {
		if s.Bot {
			page.Bots = append(page.Bots, e.botOf(s))
		}
	}
	return nil
}

// botOf is a token for a bot as its owner sees it.
func (e accountPages) botOf(s db.Session) web.Bot {
	caveats := strings.FieldsFunc(s.Restrictions, func(r rune) bool { return r == '\n' })
	may, room, from := kindOf(caveats)
	b := web.Bot{Device: s.DeviceID, Name: shown(s.DisplayName), Kind: botKinds[may].Text, Room: room, From: from,
		Used: e.moment(s.Seen.At), Place: e.place(s.Seen.Addr), View: action(actionTokens, s.DeviceID),
		Over: e.over(s)}
	if !s.Expires.IsZero() {
		b.Ends = s.Expires.Add(-time.Millisecond) // the day that was chosen, and not the one that begins then
	}
	if s.Scope == db.ScopeAdmin {
		may, b.Kind, b.Room = mayOwn, forAdmin.Text, ""
	}
	if may == mayOwn {
		b.From, b.Caveats = "", caveats
	}
	return b
}

// bots makes a token for a bot or, with a device id, ends one.
func (e accountPages) bots(account db.User) error {
	if id := e.r.URL.Query().Get("device_id"); id != "" {
		return e.bot(account, id)
	}
	if e.r.Method == http.MethodGet && e.mustSignIn(account) {
		return e.signInAgain(account)
	}
	typed := e.typedBot()
	if e.did != "preview" && e.did != "issue" {
		return e.newBot(account, typed, web.Wrong{})
	}
	wanted, wrong := e.wantedBot(account, typed)
	if wrong.Text != "" {
		return e.newBot(account, typed, wrong)
	}
	if e.did == "issue" {
		return e.issueBot(account, typed, wanted)
	}
	typed.Preview = previewOf(wanted)
	return e.newBot(account, typed, web.Wrong{})
}

// newBot shows the form.
func (e accountPages) newBot(account db.User, typed web.NewBot, wrong web.Wrong) error {
	if !isDeviceID(typed.Device) {
		var err error
		if typed.Device, err = handlers.NewDeviceID(e.server.Random); err != nil {
			return err
		}
	}
	typed.UserID, typed.Deed = e.userID(account), e.deed(account, wrong, !e.proven())
	return e.render(status(wrong), typed)
}

// previewOf says what a token will open.
func previewOf(b handlers.Bot) *web.Preview {
	p := new(web.Preview)
	for _, x := range Opens(b.Caveats) {
		r := web.Request{Text: x.Text, Method: x.Method, Path: x.Path}
		if x.Open {
			p.Open = append(p.Open, r)
		} else {
			p.Closed = append(p.Closed, r)
		}
	}
	for _, c := range b.Caveats {
		p.Caveats = append(p.Caveats, c.String())
		if c.Key == "addr" {
			p.From = c.Value
		}
	}
	return p
}

// issueBot makes the token, once the account's owner has shown the password.
func (e accountPages) issueBot(account db.User, typed web.NewBot, wanted handlers.Bot) error {
	switch {
	case e.mustSignIn(account): // it was good when the page was made
		return e.newBot(account, typed, web.Wrong{Text: "signInFirst"})
	case !e.proven() && !e.r.PostForm.Has("password"):
		return e.newBot(account, typed, web.Wrong{Text: "proveAgain"})
	}
	wrong, err := e.proof(account, !e.proven())
	if err != nil {
		return err
	}
	if wrong.Text != "" {
		return e.newBot(account, typed, wrong)
	}
	pair, err := e.server.IssueToken(e.ctx, wanted)
	switch {
	case errors.Is(err, db.ErrDeviceTaken):
		return e.issueAgain(account, typed, wanted)
	case errors.Is(err, db.ErrFull):
		return e.newBot(account, typed, web.Wrong{Text: "botFull"})
	case errors.Is(err, tokens.ErrMalformed):
		return e.newBot(account, typed, web.Wrong{Text: "botLong"})
	case err != nil:
		return err
	}
	return e.botMade(account, wanted, pair.Access)
}

// issueAgain shows the token once more to somebody who has sent the form twice, since the answer was lost or the button
// was clicked twice: within moments and before it was used.
func (e accountPages) issueAgain(account db.User, typed web.NewBot, wanted handlers.Bot) error {
	session, err := e.server.DB.Device(e.ctx, account.Localpart, wanted.DeviceID)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if err != nil || !wanted.IsOf(session) || !session.Seen.At.IsZero() ||
		e.server.Now().Sub(session.Created) > again {
		typed.Device = ""
		return e.newBot(account, typed, web.Wrong{Text: "botAgain"})
	}
	pair, err := e.server.PairAgain(e.ctx, session)
	if err != nil {
		return err
	}
	return e.botMade(account, wanted, pair.Access)
}

func (e accountPages) botMade(account db.User, b handlers.Bot, token string) error {
	return e.render(http.StatusOK, web.BotMade{UserID: e.userID(account), Name: b.Name, Token: token,
		Curl: e.curl(b), Back: handlers.AccountPath})
}

// curl are commands that the token opens, if it opens any of those that people understand. The token is pasted, so that
// neither the shell's history nor the list of processes has it.
func (e accountPages) curl(b handlers.Bot) string {
	const curl = "read -rs TOKEN\ncurl -H \"Authorization: Bearer $TOKEN\""
	command := ""
	for _, x := range Opens(b.Caveats) {
		at := " '" + e.base + strings.ReplaceAll(x.Path, "'", "%27") + "'"
		switch {
		case !x.Open:
		case x.Method == http.MethodGet:
			return curl + at
		case x.Text == "maySendThere":
			command = curl + " -X PUT -d '{\"msgtype\":\"m.text\"," +
				"\"body\":\"Hello\"}'" + strings.TrimSuffix(at, "1'") + "'$(date +%s)"
		}
	}
	return command
}

// bot shows a token, and ends it.
func (e accountPages) bot(account db.User, id string) error {
	session, err := e.server.DB.Device(e.ctx, account.Localpart, id)
	if errors.Is(err, db.ErrNotFound) || err == nil && !session.Bot {
		return e.render(http.StatusNotFound, web.Done{Text: "noBot", Then: "noBotThen", Back: handlers.AccountPath})
	}
	if err != nil {
		return err
	}
	if e.did != "end" {
		return e.render(http.StatusOK, web.BotDetails{UserID: e.userID(account), Bot: e.botOf(session),
			Deed: e.deed(account, web.Wrong{}, false)})
	}
	if sure, err := e.sure(account, web.Prove{Text: "endBot", Do: "end"}); !sure {
		return err
	}
	return e.endSession(session, web.Done{Text: "botEnded", Then: "backToAccount"})
}
