package tokens_test

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"postern/tokens"
)

// exampleKey stands for a key from NewKey(id, rand.Reader).
func exampleKey() tokens.Key {
	return tokens.Key{ID: 1, Secret: [32]byte(bytes.Repeat([]byte("k"), 32))}
}

// exampleToken stands for what a client has got from a login.
func exampleToken() string {
	token, err := tokens.Mint("example.org", exampleKey(), tokens.Claims{
		Session: "f3b1", Generation: 4, UserID: "@ana:example.org", Type: tokens.Access,
		Expires: time.Date(2026, 7, 1, 12, 5, 0, 0, time.UTC),
	})
	if err != nil {
		panic(err)
	}
	return token
}

// A homeserver that has been given the root keys verifies Postern's tokens on its own. Whether the
// session still lives it asks Postern.
func Example() {
	ring := tokens.NewKeyring(exampleKey())
	table := tokens.Caveats()

	claims, err := tokens.Verify(exampleToken(), "example.org", ring, tokens.Access, table, tokens.Request{
		Now:    time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
		Method: "GET",
		Path:   "/_matrix/client/v3/sync",
	})
	if err != nil {
		fmt.Println("401 M_UNKNOWN_TOKEN", err)
		return
	}
	fmt.Println(claims.UserID, claims.Type, claims.Session, claims.Generation)
	fmt.Println("until", claims.Expires.Format(time.RFC3339))
	// Output:
	// @ana:example.org access f3b1 4
	// until 2026-07-01T12:05:00Z
}

// Who holds a token can hand on a narrower one, without asking anybody.
func ExampleRestrict() {
	narrow, err := tokens.Restrict(exampleToken(),
		tokens.Caveat{Key: "method", Operator: "in", Value: "GET"},
		tokens.Caveat{Key: "path", Operator: "under", Value: "/_matrix/client/v3/devices"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	ring := tokens.NewKeyring(exampleKey())
	for _, path := range []string{"/_matrix/client/v3/devices", "/_matrix/client/v3/sync"} {
		_, err := tokens.Verify(narrow, "example.org", ring, tokens.Access, tokens.Caveats(), tokens.Request{
			Now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Method: "GET", Path: path,
		})
		fmt.Println(path, err)
	}
	// Output:
	// /_matrix/client/v3/devices <nil>
	// /_matrix/client/v3/sync tokens: refused: caveat "path under /_matrix/client/v3/devices": does not hold
}

// A program adds caveats of its own to the table: here a token that is good in one room.
func ExampleTable() {
	table := tokens.Caveats()
	table["room"] = func(operator, value string, r tokens.Request) error {
		if operator != "=" {
			return errors.New("unknown operator")
		}
		if r.Extra["room"] != value {
			return errors.New("another room")
		}
		return nil
	}
	narrow, err := tokens.Carry(exampleToken(), []string{"room = !tea:example.org"})
	if err != nil {
		fmt.Println(err)
		return
	}

	ring := tokens.NewKeyring(exampleKey())
	for _, room := range []string{"!tea:example.org", "!vault:example.org"} {
		_, err := tokens.Verify(narrow, "example.org", ring, tokens.Access, table, tokens.Request{
			Now:   time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
			Extra: map[string]string{"room": room},
		})
		fmt.Println(room, err)
	}
	// Output:
	// !tea:example.org <nil>
	// !vault:example.org tokens: refused: caveat "room = !tea:example.org": another room
}
