package tokens_test

import (
	"testing"

	"postern/tokens"
)

func BenchmarkMint(b *testing.B) {
	key, c := rootKey(2), accessClaims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Mint(serverName, key, c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is the hot path: a fresh token with its four caveats, on every request.
func BenchmarkVerify(b *testing.B) {
	token, ring, table := mint(b, accessClaims()), keyring(), tokens.Caveats()
	r := tokens.Request{Now: now()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(token, serverName, ring, tokens.Access, table, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifySteps shows where the time of BenchmarkVerify goes.
func BenchmarkVerifySteps(b *testing.B) {
	text, ring, table := mint(b, accessClaims()), keyring(), tokens.Caveats()
	r := tokens.Request{Now: now()}
	token, err := tokens.Decode(text)
	if err != nil {
		b.Fatal(err)
	}
	authentic, err := token.Authenticate(serverName, ring)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tokens.Decode(text)
		}
	})
	b.Run("Authenticate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			token.Authenticate(serverName, ring)
		}
	})
	b.Run("Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			authentic.Check(tokens.Access, table, r)
		}
	})
}

// BenchmarkForged is what a stranger's guess costs.
func BenchmarkForged(b *testing.B) {
	token := []byte(mint(b, accessClaims()))
	token[len(token)-2] ^= 3
	text, ring := string(token), keyring()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(text, serverName, ring, tokens.Access, nil, tokens.Request{}); err == nil {
			b.Fatal("accepted")
		}
	}
}
