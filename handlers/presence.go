package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"postern/db"
	"slices"
)

// Sensitive is a request that is carried out only after its user has proved to be there: what the proof is bound to,
// and what the page of a stage tells the user before a password is typed into it.
type Sensitive struct {
	Method, Path string
	Body         any // without `auth`, for the proof to be bound to; nil: it says nothing
	Deed         Deed
	ByEmail      bool // who reads the account's mail may prove it by that as well
}

// Deed is what a request does, for the user to agree to.
type Deed struct {
	Text  string   `json:",omitempty"` // names the words in the catalogues of package web
	Words string   // whole sentences, in English
	Ends  []string `json:",omitempty"` // the ids of the devices that it logs out
	// it logs out all devices, or all but the one that asks
	EndsAll, EndsOthers bool `json:",omitempty"`
}

// ends reports whether a device is logged out, when another one, or the same, asks.
func (d Deed) ends(device, asks string) bool {
	return d.EndsAll || d.EndsOthers && device != asks || slices.Contains(d.Ends, device)
}

// bodyHash is the same for all ways to write the same body: the order of members and the spaces between them do not
// count.
func bodyHash(body any) (string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // no two numbers may become one
	if err := d.Decode(&value); err != nil {
		return "", err // unreachable: it was written a moment ago
	}
	if text, err = json.Marshal(value); err != nil {
		return "", err // unreachable: it was read from JSON
	}
	sum := sha256.Sum256(text)
	return db.Spell(sum[:]), nil
}
