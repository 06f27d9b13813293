package process

import (
	"bytes"
	"encoding/json"
)

// listening finds the line that tells where a server listens.
func listening(written []byte) (string, bool) {
	for line := range bytes.Lines(written) {
		var entry struct{ Msg, Address string }
		if err := json.Unmarshal(line, &entry); err == nil && entry.Msg == "listening" {
			return entry.Address, true
		}
	}
	return "", false
}
