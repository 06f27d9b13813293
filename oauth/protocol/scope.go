package protocol

import (
	"slices"
	"strings"
)

// The words of a scope, in the specification's spelling and in the one of MSC2967 that clients still send.
// Client-Server API v1.19, "Scope".
var (
	apiScopes      = []string{"urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"}
	devicePrefixes = []string{"urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"}
)

// maxDeviceID bounds a device id, in characters: it goes into tokens and into the homeserver's database.
const maxDeviceID = 255

// Scope is what an authorization request asks for, and all that is ever granted: the client-server API for one device.
type Scope struct{ DeviceID string }

// ScopeOf is the scope that was granted, in the specification's spelling, whatever the client asked in.
func ScopeOf(deviceID string) string { return apiScopes[0] + " " + devicePrefixes[0] + deviceID }

// ParseScope reads the words between single spaces. It wants the client-server API and exactly one device. Unknown
// words, such as openid, are ignored: the answer's scope says what was granted (RFC 6749, section 3.3).
func ParseScope(text string) (Scope, *Error) {
	bad := func(rule string) (Scope, *Error) { return Scope{}, refuse(InvalidScope, "scope", text, rule) }
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return bad("only the characters of RFC 6749, section 3.3, are allowed")
	}
	var s Scope
	api := false
	for _, word := range strings.Fields(text) {
		id, device := deviceOf(word)
		switch {
		case slices.Contains(apiScopes, word):
			api = true
		case !device:
			continue
		case s.DeviceID != "" && s.DeviceID != id:
			return bad("one device at most")
		case id == "" || len(id) > maxDeviceID:
			return bad("a device id has 1 to 255 characters")
		default:
			s.DeviceID = id
		}
	}
	switch {
	case !api:
		return bad("urn:matrix:client:api:* is missing")
	case s.DeviceID == "":
		return bad("urn:matrix:client:device:<device id> is missing")
	}
	return s, nil
}

func deviceOf(word string) (id string, ok bool) {
	for _, prefix := range devicePrefixes {
		if id, ok = strings.CutPrefix(word, prefix); ok {
			return id, true
		}
	}
	return "", false
}
