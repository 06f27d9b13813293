package house

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestSecretFiles: a document or a help that writes a secret into a file says umask 077 first, or everybody on the
// machine can read the file.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	toModule()
	written := regexp.MustCompile(`> *[\w./$-]*\.(token|secret|key|curl|env)\b`)
	closed := regexp.MustCompile(`\bumask 077\b`)
	found := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "cli/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			code := text(t, file)
			at := written.FindStringIndex(code)
			if at == nil {
				continue
			}
			found++
			if mask := closed.FindStringIndex(code); mask == nil || mask[0] > at[0] {
				t.Errorf("%s writes a secret without umask 077 before it: %s", file, code[at[0]:at[1]])
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d files write secrets", found)
	}
}
