package tokens_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"postern/tokens"
)

// goldenClaims is an entry of testdata/golden/claims.json. See the README there.
type goldenClaims struct {
	Name, Location, Key, KeyID, Session, Generation, UserID, Type string
	Expires                                                       *string
	Appended                                                      []string
}

type goldenAnswer struct{ Name, Signature, Token string }

// TestGolden compares with tokens that other implementations of macaroons have minted.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"python.json", "javascript.json"} {
		claims := readGolden[goldenClaims](t, "claims.json")
		answers := readGolden[goldenAnswer](t, file)
		if len(claims) != len(answers) {
			t.Fatalf("%s: %d answers to %d claims", file, len(answers), len(claims))
		}
		for i, g := range claims {
			t.Run(file+"/"+g.Name, func(t *testing.T) {
				t.Parallel()
				checkGolden(t, g, answers[i])
			})
		}
	}
}

func checkGolden(t *testing.T, g goldenClaims, answer goldenAnswer) {
	key, c := g.claims(t)
	token, err := tokens.Mint(g.Location, key, c)
	if err != nil {
		t.Fatal(err)
	}
	if token, err = tokens.Carry(token, g.Appended); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(unmarshal(t, token).Signature()); got != answer.Signature {
		t.Errorf("signature is %s, theirs is %s", got, answer.Signature)
	}
	if answer.Token == "" {
		return
	}
	if token != answer.Token {
		t.Errorf("token is\n%s, theirs is\n%s", token, answer.Token)
	}
	_, err = tokens.Verify(answer.Token, g.Location, tokens.NewKeyring(key), c.Type, tokens.Caveats(), allowed())
	if g.Expires != nil && *g.Expires == "0" {
		wantErr(t, err, tokens.ErrExpired)
	} else if err != nil {
		t.Errorf("their token is refused: %v", err)
	}
}

func (g goldenClaims) claims(t *testing.T) (tokens.Key, tokens.Claims) {
	t.Helper()
	key := tokens.Key{ID: parseInt(t, g.KeyID), Secret: [32]byte(parseHex(t, g.Key))}
	c := tokens.Claims{
		Session: string(parseHex(t, g.Session)), Generation: parseInt(t, g.Generation),
		UserID: g.UserID, Type: tokens.Type(g.Type),
	}
	if g.Expires != nil {
		c.Expires = time.UnixMilli(parseInt(t, *g.Expires))
	}
	return key, c
}

func readGolden[T any](t *testing.T, file string) (entries []T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return entries
}

func parseInt(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parseHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
