package cli

import (
	"reflect"
	"strings"
	"testing"
)

// TestHelpNamesCommands: the help of a group names each of its commands, unless it says that there are more.
func TestHelpNamesCommands(t *testing.T) {
	t.Parallel()
	groups := reflect.TypeFor[cli]()
	for i := range groups.NumField() {
		help := groups.Field(i).Tag.Get("help")
		if _, group := groups.Field(i).Tag.Lookup("cmd"); !group || strings.Contains(help, "and more") {
			continue
		}
		commands := groups.Field(i).Type
		for j := range commands.NumField() {
			name := strings.ToLower(commands.Field(j).Name)
			if _, command := commands.Field(j).Tag.Lookup("cmd"); command && !strings.Contains(help, name) {
				t.Errorf("the help %q does not name %s", help, name)
			}
		}
	}
}
