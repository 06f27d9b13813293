package house

import (
	"strings"
	"testing"
)

// TestOneWayToOpen: a command that opened the database by itself would change things of which the homeserver never
// hears.
func TestOneWayToOpen(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		if dir == "db" || strings.HasPrefix(dir, "db/") || strings.HasPrefix(dir, "test/") {
			continue
		}
		for _, file := range sources(t, dir) {
			if isTest(file) {
				continue
			}
			code := text(t, file)
			if strings.Contains(code, "db.Open(") && file != "homeserver/outbox/queue.go" {
				t.Errorf("%s opens the database by itself", file)
			}
			if strings.Contains(code, "outbox.Open(") && file != "cli/database.go" && dir != "homeserver/outbox" {
				t.Errorf("%s opens the database; (*common).openQueue does that", file)
			}
		}
	}
}
