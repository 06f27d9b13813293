package tokens

// Inspection is what the text of a token shows to anyone who has it. Nothing in it is authenticated.
type Inspection struct {
	Version int // of the identifier's format
	// how many of the caveats Mint wrote, if the token is authentic; see Authentic.Check for the expiry
	Minted    int
	Signature []byte // the last link of the chain of HMACs; what has it can be used as the token
}

// Inspect takes the token apart for a person who holds it and wants to see how it is made.
func (t *Token) Inspect() Inspection {
	caveats := t.Caveats()
	minted := min(expiryPlace, len(caveats))
	if len(caveats) > expiryPlace && isBefore(caveats[expiryPlace]) {
		minted++
	}
	return Inspection{Version: identifierVersion, Minted: minted, Signature: t.macaroon.Signature()}
}
