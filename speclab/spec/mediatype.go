package spec

import "strings"

// MediaType is the name of a media type without its parameters.
func MediaType(text string) string {
	name, _, _ := strings.Cut(text, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// IsJSON reports whether a media type, with or without parameters, is JSON. An example of another is often that text
// itself.
func IsJSON(text string) bool {
	name := MediaType(text)
	return name == "application/json" || strings.HasSuffix(name, "+json")
}
