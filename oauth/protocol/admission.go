package protocol

import "slices"

// Admission says which clients a person may let in. One that an operator has added is always among them.
type Admission string

// The admissions.
const (
	AdmitOpen   Admission = "open"   // every client that registers
	AdmitKnown  Admission = "known"  // those of Rules.Hosts
	AdmitStatic Admission = "static" // none beside those that were added
)

// Rules are those that a server chooses itself.
type Rules struct {
	// Loopback accepts a client_uri and web redirect URIs by http on the loopback interface: a client under
	// development, for a server under development.
	Loopback bool

	Admission Admission // open when empty
	Hosts     []string  // with AdmitKnown: client_uri is at one of them, or below one
}

// Admits refuses a client whose metadata are good and that the operator does not want. It counts when a client
// registers, and each time that a person is to let it in; what has begun goes on.
func (r Rules) Admits(c *Client, added bool) *Error {
	rule := ""
	switch {
	case added, r.Admission == "", r.Admission == AdmitOpen:
		return nil
	case r.Admission == AdmitStatic:
		rule = "only clients that the operator has added are admitted here; ask them for `postern client add`"
	case !slices.ContainsFunc(r.Hosts, func(known string) bool { return within(c.home().Hostname(), known) }):
		rule = "its host is none that the operator admits; ask them for --oauth-known-host, or for `postern client add`"
	default:
		return nil
	}
	return refuse(UnauthorizedClient, "client_uri", c.URI, rule)
}
