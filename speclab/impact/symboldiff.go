package impact

import (
	"maps"
	"slices"
)

// kind says what happened to a symbol.
type kind int

const (
	removed kind = iota
	added
	retyped
)

// difference is a symbol of the generated code that the spec changes, and the part of the spec that it comes from.
type difference struct {
	kind        kind
	typ, field  string // field is empty when it is the whole type, typ when it is a method
	method      string
	before, now string // the types of a field
	part        pointer
	old         bool // part is the contract's: the spec does not have it any more
}

// compareSymbols compares the generated code of the contract and of the spec.
func compareSymbols(old, edited *symbols, pointers func(*symbols) *mapping) []difference {
	before, now := pointers(old), pointers(edited)
	var all []difference
	for _, name := range slices.Sorted(maps.Keys(old.methods)) {
		if _, there := edited.methods[name]; !there {
			all = append(all, difference{kind: removed, method: name, part: before.method(name), old: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(edited.methods)) {
		if _, there := old.methods[name]; !there {
			all = append(all, difference{kind: added, method: name, part: now.method(name)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old.types)) {
		was, is := old.types[name], edited.types[name]
		if is == nil {
			all = append(all, difference{kind: removed, typ: name, part: before.lostPart(name, edited), old: true})
			continue
		}
		if a, b := old.root(name), edited.root(name); a != nil && b != nil && (a.name != b.name || a == was) {
			all = append(all, compareFields(name, a, b, before, now)...)
		}
		if len(was.fields)+len(is.fields) == 0 && was.of != is.of || was.base != is.base {
			all = append(all, difference{kind: retyped, typ: name, before: was.of, now: is.of, part: now.typ(name)})
		}
	}
	return all
}

// compareFields compares the fields of a type, which may be a copy of one type before and of another now.
func compareFields(name string, was, is *goType, before, now *mapping) (all []difference) {
	for _, f := range was.fields {
		g, there := is.field(f.name)
		switch {
		case !there:
			all = append(all, difference{kind: removed, typ: name, field: f.name, part: before.field(was, f),
				old: true})
		case f.of != g.of:
			all = append(all, difference{kind: retyped, typ: name, field: f.name, before: f.of, now: g.of,
				part: now.field(is, g)})
		}
	}
	for _, g := range is.fields {
		if _, there := was.field(g.name); !there {
			all = append(all, difference{kind: added, typ: name, field: g.name, part: now.field(is, g)})
		}
	}
	return all
}

// lostPart is the part that a removed type was generated from: the operation, when that was removed or renamed with it.
func (m *mapping) lostPart(typ string, now *symbols) pointer {
	if o, _ := m.symbols.operationOf(typ); o != nil && m.components[typ] == nil {
		if _, there := now.methods[o.goName]; !there {
			return o.at
		}
	}
	return m.typ(typ)
}
