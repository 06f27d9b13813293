package mock

import (
	"slices"
	"strings"
)

// preferences are the values of Prefer that choose an answer of the spec: each status, and its examples by name. Names
// that a header cannot carry are left out.
func (o *operation) preferences() []string {
	var all []string
	for _, code := range o.codes() {
		status := "code=" + anyOf(code)
		if code[0] == '1' || slices.Contains(all, status) {
			continue
		}
		all = append(all, status)
		for _, name := range exampleNames(response(o.edited, code)) {
			if strings.IndexFunc(name, unsendable) < 0 && strings.TrimSpace(name) == name && name != "" {
				all = append(all, status+", example="+name)
			}
		}
	}
	return all
}

// unsendable reports whether a character cannot be in a value of the header Prefer, as it is read here.
func unsendable(c rune) bool { return c < ' ' || c > '~' || strings.ContainsRune(`,;"`, c) }
