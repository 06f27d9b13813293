package house

import (
	"strings"
	"testing"
)

// TestFileSizes: a file that cannot be taken in at a sitting is split.
func TestFileSizes(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		if fromContract(dir) {
			continue
		}
		for _, file := range sources(t, dir) {
			if n := strings.Count(text(t, file), "\n"); n > 400 {
				t.Errorf("%s has %d lines", file, n)
			}
		}
	}
}
