package adminapi

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"postern/db"
)

// A nonce says when it was made and proves that it was made by whoever has the master key. So none is kept, however
// many are asked for, and any replica knows it. It tells nothing of the shared secret, which people may have chosen
// short: anybody may ask for a nonce. That it was used is kept, as of a login token.

const (
	nonceTime   = time.Minute
	nonceRandom = 16
	nonceProof  = 32 // hexadecimal digits
	nonceMade   = 8 + nonceRandom
)

// nonce is GET v1/register.
func (a *API) nonce(request) (any, error) {
	made := make([]byte, nonceMade)
	binary.BigEndian.PutUint64(made, uint64(a.Server.Now().UnixMilli()))
	if _, err := io.ReadFull(a.Server.Random, made[8:]); err != nil {
		return nil, err
	}
	proof, err := a.proof(made)
	return map[string]string{"nonce": hex.EncodeToString(made) + proof}, err
}

// proof is what only a server of this database can write behind a nonce, in hexadecimal.
func (a *API) proof(made []byte) (string, error) {
	mark, err := a.Server.Master.Mark("nonce of v1/register " + string(made))
	if err != nil {
		return "", err
	}
	return mark[:nonceProof], nil
}

// errNonce says that a nonce was not made here, a minute ago or less.
var errNonce = errors.New("the nonce is not good")

// nonceEnds checks a nonce, and says when it is over.
func (a *API) nonceEnds(nonce string) (time.Time, error) {
	if len(nonce) != 2*nonceMade+nonceProof {
		return time.Time{}, errNonce
	}
	made, err := hex.DecodeString(nonce[:2*nonceMade])
	if err != nil {
		return time.Time{}, errNonce
	}
	proof, err := a.proof(made)
	if err != nil {
		return time.Time{}, err
	}
	if !hmac.Equal([]byte(strings.ToLower(nonce[2*nonceMade:])), []byte(proof)) {
		return time.Time{}, errNonce
	}
	began := db.FromMillis(int64(binary.BigEndian.Uint64(made)))
	if age := a.Server.Now().Sub(began); age < 0 || age > nonceTime {
		return time.Time{}, errNonce
	}
	return began.Add(nonceTime), nil
}
