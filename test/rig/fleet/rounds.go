package fleet

import "os"

// Rounds is how often a test does something again and again: a few times, or with TEST_ROUNDS=gate as often as the gate
// wants.
func Rounds(few, gate int) int {
	if os.Getenv("TEST_ROUNDS") == "gate" {
		return gate
	}
	return few
}
