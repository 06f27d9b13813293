package oauth

import (
	"encoding/base32"
	"errors"
	"io"
	"net/http"
	"strings"

	"postern/db"
	"postern/web"
)

// Recovery codes stand in for a second factor that is lost. Each is shown once and good once. What is kept of one is a
// mark that leads nowhere without the master key.

const (
	recoveryCodes  = 10
	recoveryLength = 12 // letters of five bits each
	recoveryGroup  = 4
)

// recoveryAlphabet is Crockford's: no letter looks like another one.
var recoveryAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// recoveryCode reads a code as people type it: in capitals, with spaces or dashes, with an o for a zero. It is ok if it
// can be one.
func recoveryCode(typed string) (plain string, ok bool) {
	plain = strings.NewReplacer(" ", "", "-", "", "o", "0", "i", "1", "l", "1").Replace(strings.ToLower(typed))
	return plain, len(plain) == recoveryLength
}

// newRecoveryCodes makes an account's codes, to be shown and to be kept.
func (v *visit) newRecoveryCodes(account db.User) (show []string, keep []db.Factor, err error) {
	random := make([]byte, recoveryCodes*recoveryLength*5/8)
	if _, err := io.ReadFull(v.server.Random, random); err != nil {
		return nil, nil, err
	}
	text := recoveryAlphabet.EncodeToString(random)
	for i := range recoveryCodes {
		plain := text[i*recoveryLength : (i+1)*recoveryLength]
		id, err := v.recoveryID(account, plain)
		if err != nil {
			return nil, nil, err
		}
		var groups []string
		for j := 0; j < recoveryLength; j += recoveryGroup {
			groups = append(groups, plain[j:j+recoveryGroup])
		}
		show = append(show, strings.Join(groups, "-"))
		keep = append(keep, db.Factor{ID: id, Localpart: account.Localpart, Kind: db.FactorRecovery, Sealed: []byte{},
			Created: v.server.Now()})
	}
	return show, keep, nil
}

// recoveryID is what a code is kept as.
func (v *visit) recoveryID(account db.User, plain string) (string, error) {
	return v.server.Master.Mark("recovery code " + plain + " of " + account.Localpart)
}

// takeRecovery spends a code, or says that it is wrong.
func (v *visit) takeRecovery(account db.User, plain string) (web.Wrong, error) {
	id, err := v.recoveryID(account, plain)
	if err == nil {
		err = v.server.DB.UseRecovery(v.ctx, account.Localpart, id)
	}
	if errors.Is(err, db.ErrNotFound) {
		return web.Wrong{Text: "wrongSecond"}, nil
	}
	return web.Wrong{}, err
}

// addFactor adds a second factor to an account, and shows the recovery codes that come with its first one.
func (e accountPages) addFactor(account db.User, f db.Factor, done web.Done) error {
	show, keep, err := e.newRecoveryCodes(account)
	if err != nil {
		return err
	}
	if err := e.server.DB.AddFactor(e.ctx, f, e.browser.ID, keep); err != nil {
		return err
	}
	if account.SecondFactor {
		done.Back = e.next()
		return e.render(http.StatusOK, done)
	}
	return e.showRecovery(account, show, done)
}

// showRecovery shows new codes, which nobody ever sees again.
func (e accountPages) showRecovery(account db.User, codes []string, done web.Done) error {
	return e.render(http.StatusOK, web.RecoveryCodes{UserID: e.userID(account), Done: done.Text, Codes: codes,
		Back: e.next()})
}

// recoveryPart fills the part of the account page that says how many recovery codes are left.
func (e accountPages) recoveryPart(has owned, page *web.Account) error {
	page.Recovery = web.RecoveryPart{Action: action(actionRecovery, ""), Offered: has.account.SecondFactor}
	for _, f := range has.factors {
		if f.Kind == db.FactorRecovery {
			page.Recovery.Left++
		}
	}
	return nil
}

// recovery makes new codes, and those that there were are good for nothing any more.
func (e accountPages) recovery(account db.User) error {
	if e.did != "recovery" || !account.SecondFactor {
		return e.overview(account)
	}
	if sure, err := e.meant(account, web.Prove{Text: "newRecovery", Means: "newRecoveryMeans", Do: e.did}); !sure {
		return err
	}
	show, keep, err := e.newRecoveryCodes(account)
	if err == nil {
		err = e.server.DB.ReplaceRecovery(e.ctx, account.Localpart, keep)
	}
	if errors.Is(err, db.ErrNotFound) {
		return e.overview(account) // the second factor was removed meanwhile
	}
	if err != nil {
		return err
	}
	return e.showRecovery(account, show, web.Done{Text: "recoveryMade"})
}
