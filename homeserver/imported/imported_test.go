package imported

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// TestGivenBySynapse: the forms of Synapse's tokens, of all times, and tokens that are not.
func TestGivenBySynapse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1cD": true,
		"syr_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1cD": true,
		synapseMacaroon("access"):                 true,
		synapseMacaroon("access") + "=":           true,
		synapseMacaroon("delete_pusher"):          false, // the link in a notification's mail
		"MDAxOGxvY2F0aW9uIGhvbWUudGVzdAo":         false,
		"syt_bridge":                              false,
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1c":  false,
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqR1T_0aB1cD": false,
		"MDAx": false, "": false, "_": false,
		"4fd2ac8b3b34bcbf6fa2b7b3d4d7c5e2": false,
	} {
		if got := givenBySynapse(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// synapseMacaroon is a token of Synapse's older form, for something.
func synapseMacaroon(kind string) string {
	var raw strings.Builder
	for _, packet := range []string{"location home.test", "identifier key", "cid gen = 1",
		"cid user_id = @alice:home.test",
		"cid type = " + kind, "signature " + strings.Repeat("x", 32)} {
		fmt.Fprintf(&raw, "%04x%s\n", len(packet)+5, packet)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(raw.String()))
}
