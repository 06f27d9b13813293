package adminapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"postern/db"
)

// A nonce says when it was made and proves that it was made by whoever has the shared secret. So none is kept, however
// many are asked for, and any replica knows it. That it was used is kept, as of a login token.

const (
	nonceTime   = time.Minute
	nonceRandom = 16
	nonceProof  = 16
	nonceBytes  = 8 + nonceRandom + nonceProof
)

// nonce is GET v1/register.
func (a *API) nonce(request) (any, error) {
	made := binary.BigEndian.AppendUint64(make([]byte, 0, nonceBytes), uint64(a.Server.Now().UnixMilli()))
	made = made[:8+nonceRandom]
	if _, err := io.ReadFull(a.Server.Random, made[8:]); err != nil {
		return nil, err
	}
	return map[string]string{"nonce": hex.EncodeToString(append(made, a.proof(made)...))}, nil
}

// proof is what only whoever has the secret can write behind a nonce.
func (a *API) proof(made []byte) []byte {
	mac := hmac.New(sha256.New, []byte(a.Secret))
	mac.Write([]byte("postern: a nonce of v1/register\x00")) // no other message is authenticated so
	mac.Write(made)
	return mac.Sum(nil)[:nonceProof]
}

// errNonce says that a nonce was not made here, a minute ago or less.
var errNonce = errors.New("the nonce is not good")

// nonceEnds checks a nonce, and says when it is over.
func (a *API) nonceEnds(nonce string) (time.Time, error) {
	text, err := hex.DecodeString(nonce)
	if err != nil || len(text) != nonceBytes {
		return time.Time{}, errNonce
	}
	made, proof := text[:8+nonceRandom], text[8+nonceRandom:]
	if !hmac.Equal(proof, a.proof(made)) {
		return time.Time{}, errNonce
	}
	began := db.FromMillis(int64(binary.BigEndian.Uint64(made)))
	if age := a.Server.Now().Sub(began); age < 0 || age > nonceTime {
		return time.Time{}, errNonce
	}
	return began.Add(nonceTime), nil
}
