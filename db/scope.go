package db

import "strings"

// A scope is what a write has for itself until it has committed, where replicas write side by side. Of SQLite every
// write has everything for itself. The zero scope is everything.
type scope struct {
	row   string   // that it changes, of whatever table: two writes of one row wait for each other by themselves
	locks []string // names of what must stay as it finds it while it writes something else
}

var everything scope

func (s scope) everything() bool { return s.row == "" && s.locks == nil }

// onRow is the scope of a write that changes one row and looks at no other one that matters.
func onRow(id string) scope { return scope{row: id} }

// account is the scope of a write about one account. Names that differ in upper and lower case alone are one, since
// there must be only one of them.
func account(localpart string) scope {
	return scope{locks: []string{"account " + strings.ToLower(localpart)}}
}

// invitation is the scope of a write about an invitation: its uses are counted in two tables.
func invitation(token string) scope { return scope{}.with("invitation", token) }

// with adds something to a scope.
func (s scope) with(kind, name string) scope {
	return scope{row: s.row, locks: append(s.locks[:len(s.locks):len(s.locks)], kind+" "+name)}
}
