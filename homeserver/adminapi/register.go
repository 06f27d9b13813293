package adminapi

import (
	"crypto/hmac"
	"crypto/sha1" // Synapse's choice; as a message authentication code it is not broken
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"postern/db"
	"postern/gen"
	"postern/homeserver/amend"
)

// newcomer is the body of POST v1/register.
type newcomer struct {
	nonce, username, password, mac, userType string
	admin                                    bool
	wanted                                   gen.RegisterRequest // the session
}

// register is POST v1/register: whoever has the shared secret makes an account, as register_new_matrix_user does.
// Synapse, "Shared-Secret Registration".
func (a *API) register(r request) (any, error) {
	if a.Secret == "" {
		return nil, invalid("Shared secret registration is not enabled")
	}
	// Before the code is compared: whoever has guessed too often guesses no more.
	if err := a.Server.CountLogin(r.Context(), ""); err != nil {
		return nil, err
	}
	n, err := a.proved(r)
	if err != nil {
		return nil, err
	}
	a.Server.ForgiveLogin(r.Context()) // a script may make a hundred accounts
	ends, err := a.nonceEnds(n.nonce)
	if err == nil {
		err = a.Queue.DB.Spend(r.Context(), strings.ToLower(n.nonce), a.Server.Now(), ends)
	}
	if errors.Is(err, errNonce) || errors.Is(err, db.ErrTokenSpent) {
		return nil, unknownNonce()
	}
	if err != nil {
		return nil, err
	}
	account := a.made(strings.ToLower(n.username), n.password, n.admin)
	if n.wanted.InhibitLogin == nil || !*n.wanted.InhibitLogin {
		account.Wanted = &n.wanted
	}
	return a.Server.MakeAccount(r.Context(), account)
}

func unknownNonce() error { return invalid("unrecognised nonce") }

// proved reads the body, and refuses it unless whoever wrote it has the secret.
func (a *API) proved(r request) (n newcomer, err error) {
	body, err := r.object(false)
	if err != nil {
		return n, err
	}
	if err := n.read(body); err != nil {
		return n, err
	}
	if _, err := a.nonceEnds(n.nonce); errors.Is(err, errNonce) {
		return n, unknownNonce()
	} else if err != nil {
		return n, err
	}
	if !hmac.Equal([]byte(n.code(a.Secret)), []byte(n.mac)) {
		return n, amend.Refused(http.StatusForbidden, "M_UNKNOWN", "HMAC incorrect")
	}
	return n, nil
}

// read reads the fields.
func (n *newcomer) read(body amend.Object) error {
	for _, field := range []struct {
		name  string
		into  *string
		wrong string
	}{
		{"nonce", &n.nonce, "unrecognised nonce"},
		{"username", &n.username, "Invalid username"},
		{"password", &n.password, "Invalid password"},
		{"mac", &n.mac, "HMAC incorrect"},
	} {
		if !body.Has(field.name) {
			return badJSON(field.name + " must be specified")
		}
		there, err := read(body, field.name, field.into, invalid(field.wrong))
		if err == nil && (!there || utf8.RuneCountInString(*field.into) > maxPassword ||
			strings.Contains(*field.into, "\x00")) {
			err = invalid(field.wrong)
		}
		if err != nil {
			return err
		}
	}
	if _, err := read(body, "user_type", &n.userType, invalid("Invalid user type")); err != nil {
		return err
	}
	if _, err := read(body, "admin", &n.admin, invalid("admin must be a boolean")); err != nil {
		return err
	}
	if n.password == "" {
		return invalid("Invalid password")
	}
	if json.Unmarshal(body.Raw, &n.wanted) != nil {
		return badJSON("A parameter is of the wrong type.")
	}
	return nil
}

// code is what whoever has the secret writes for these fields.
func (n *newcomer) code(secret string) string {
	mark := "notadmin"
	if n.admin {
		mark = "admin"
	}
	parts := []string{n.nonce, n.username, n.password, mark}
	if n.userType != "" {
		parts = append(parts, n.userType)
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))
}
