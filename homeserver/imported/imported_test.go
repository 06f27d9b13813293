package imported

import "testing"

// TestGivenBySynapse: the forms of Synapse's tokens, of all times, and tokens that are not.
func TestGivenBySynapse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1cD":                            true,
		"syr_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1cD":                            true,
		"MDAxN2xvY2F0aW9uIGEub3JnCjAwMTNpZGVudGlmaWVyIGtleQowMDEwY2lkIGdlbg": true, // 0017location a.org
		"MDAxOGxvY2F0aW9uIGhvbWUudGVzdAo":                                    true,
		"syt_bridge":                                                         false,
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqRsT_0aB1c":                             false,
		"syt_YWxpY2U_aBcDeFgHiJkLmNoPqR1T_0aB1cD":                            false,
		"MDAx": false, "": false, "_": false,
		"4fd2ac8b3b34bcbf6fa2b7b3d4d7c5e2": false,
	} {
		if got := givenBySynapse(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
