package house

import (
	"regexp"
	"strings"
	"testing"
)

// TestSecurityClaims: the tests that SECURITY.md names are there.
func TestSecurityClaims(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, dir := range folders(t) {
		for _, file := range sources(t, dir) {
			code.WriteString(text(t, file))
		}
	}
	claims := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z]*)`").FindAllStringSubmatch(text(t, "SECURITY.md"), -1)
	if len(claims) < 30 {
		t.Errorf("SECURITY.md names %d tests", len(claims))
	}
	for _, claim := range claims {
		if !strings.Contains(code.String(), "\nfunc "+claim[1]+"(") {
			t.Errorf("SECURITY.md claims something by %s, which is not there", claim[1])
		}
	}
}
