package importer

import (
	"cmp"
	"slices"
	"strings"

	"postern/homeserver/imported"
)

// Result is what became of accounts and sessions.
type Result struct {
	Notable  []Outcome // accounts that somebody may miss, or should look at
	Accounts []Row
	Sessions []Row // empty without sessions

	Passwordless int // accounts added that have no password
	Left         int // changes over there, since an earlier import, that only Options.SinceLast brings
}

// Outcome is what became of one account.
type Outcome struct{ Name, What, Why string }

// Row is how many of a kind there are.
type Row struct {
	What, Why string
	Number    int
}

// alreadyHere is the reason of an account whose name is taken, whoever took it.
const alreadyHere = "is here already"

const noPassword = "no password"

func (m *importing) result() Result {
	var r Result
	accounts := make(tally)
	for i, a := range m.contents.Accounts {
		what, why, notable := outcome(a, m.did[i], m.left[i])
		accounts.add(what, why, 1)
		if notable {
			r.Notable = append(r.Notable, Outcome{a.Name, what, why})
		}
	}
	for i, a := range m.contents.Accounts {
		for _, address := range m.did[i].Taken {
			r.Notable = append(r.Notable, Outcome{a.Name, "without", "the address " + address +
				", which another account has here"})
		}
	}
	r.Accounts = accounts.counts()
	for _, left := range m.left {
		r.Left += len(left.Changed) + left.Live + left.Soft + left.Replaced + left.Ended
	}
	r.Passwordless = accounts[Row{What: "added", Why: noPassword}]
	if m.contents.Sessions {
		r.Sessions = m.sessions().counts()
	}
	return r
}

// notBrought is what became of a change that an import without Options.SinceLast leaves.
const notBrought = "not brought"

// outcome says what happened to an account, and whether a person should look at it.
func outcome(a Account, did, left imported.Arrived) (what, why string, notable bool) {
	switch {
	case len(left.Changed) > 0:
		return notBrought, strings.Join(left.Changed, ", ") + " there since it came", true
	case a.Skip != "":
		return "skipped", a.Skip, true
	case len(did.Changed) > 0:
		return "changed", strings.Join(did.Changed, ", "), true
	case !did.Added:
		return "unchanged", "", false
	case a.Deactivated:
		return "added", "deactivated", false
	case a.Locked:
		return "added", "locked", true
	case a.Hash == "":
		return "added", noPassword, true
	default:
		return "added", "", false
	}
}

// sessions counts what became of the sessions.
func (m *importing) sessions() tally {
	n := make(tally)
	for _, did := range m.did {
		n.add("added", "", did.Live)
		n.add("added", "no token in use: listed until somebody logs in on it", did.Soft)
		n.add("replaced", "refreshed or renamed there, or logged in again", did.Replaced)
		n.add("ended", "logged out there", did.Ended)
		n.add("unchanged", "", did.Here)
		n.add("unchanged", "begun or renewed here", did.Own)
	}
	for _, left := range m.left {
		n.add(notBrought, "begun there since the last import", left.Live+left.Soft)
		n.add(notBrought, "refreshed or renamed there, or logged in again", left.Replaced)
		n.add(notBrought, "logged out there", left.Ended)
	}
	for why, number := range m.contents.Skipped {
		n.add("skipped", why, number)
	}
	return n
}

// tally counts by what and why.
type tally map[Row]int

func (n tally) add(what, why string, number int) {
	if number > 0 {
		n[Row{What: what, Why: why}] += number
	}
}

// counts lists what was counted, in order.
func (n tally) counts() (all []Row) {
	for c, number := range n {
		c.Number = number
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	return all
}
