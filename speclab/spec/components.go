package spec

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MarshalJSON writes a component as its class, so that parts that refer to equal components give equal texts.
func (c *component) MarshalJSON() ([]byte, error) { return json.Marshal(c.class) }

// groupEqual gives equal components one class, so that they become one. It begins with a class for each preferred name,
// and divides classes until the components of each are equal, those that they refer to included.
func (b *bundler) groupEqual() {
	byName := make(map[string][]*component)
	for _, c := range b.order {
		key := string(c.shape) + "/" + folded(c.preferred)
		byName[key] = append(byName[key], c)
	}
	last := 0 // class that was given
	var groups [][]*component
	for _, key := range sortedKeys(byName) {
		last++
		for _, c := range byName[key] {
			c.class = last
		}
		if len(byName[key]) > 1 {
			groups = append(groups, byName[key])
		}
	}
	for round, divided := 0, true; divided; round++ {
		if round == maxRounds { // they differ deep down: treat all as different
			for _, c := range b.order {
				last++
				c.class = last
			}
			return
		}
		divided = false
		for _, group := range groups {
			divided = divide(group, &last) || divided
		}
	}
}

// divide gives the components of a group new classes, one for those that were of one class and are equal, and reports
// whether there are more classes than before.
func divide(group []*component, last *int) bool {
	before, after := make(map[int]bool), make(map[string]int)
	classes := make([]int, len(group))
	for i, c := range group {
		text, _ := json.Marshal([]any{c.class, c.node.value()})
		if after[string(text)] == 0 {
			*last++
			after[string(text)] = *last
		}
		before[c.class], classes[i] = true, after[string(text)]
	}
	for i, c := range group {
		c.class = classes[i]
	}
	return len(after) > len(before)
}

// nameComponents names the components and fills the names in where they are referred to. taken are the names that the
// generator needs for operations.
func (b *bundler) nameComponents(taken names) {
	b.groupEqual()
	for _, c := range b.order {
		if c.shape == schemaShape && taken.holdInline(c) {
			c.preferred += kindNames[schemaShape]
		}
	}
	for _, c := range b.order {
		endings := map[shape][]string{responseShape: responseSuffixes, requestBodyShape: operationSuffixes}[c.shape]
		for _, ending := range endings {
			if ending != "Response" || c.node.get("content") == nil { // which is the type of an answer without content
				taken[folded(c.preferred+ending)] = true
			}
		}
		if c.shape == schemaShape {
			taken.reserveInline(c.node, c.preferred, false, 0)
		}
	}
	byClass := make(map[string]string)
	for _, wave := range [][]shape{{schemaShape}, {parameterShape, responseShape, requestBodyShape, headerShape},
		{securitySchemeShape}, {linkShape}, {callbackShape}} {
		if wave[0] == securitySchemeShape || wave[0] == linkShape || wave[0] == callbackShape {
			taken = names{} // no Go types are made of these
		}
		for _, c := range b.order {
			if !slices.Contains(wave, c.shape) {
				continue
			}
			class := string(c.shape) + strconv.Itoa(c.class)
			if byClass[class] == "" {
				byClass[class] = c.chooseName(taken)
			}
			c.name = byClass[class]
		}
	}
	for _, n := range b.pointers {
		if c, ok := n.scalar.(*component); ok {
			n.scalar = "#/components/" + section[c.shape] + "/" + c.name
		}
	}
}

func (c *component) chooseName(taken names) string {
	clean := func(s string) string { return strings.Trim(notInNames.ReplaceAllString(s, "_"), "_") }
	name := withoutDigit(clean(c.preferred))
	if folded(name) == "" {
		name = kindNames[c.shape]
	}
	dir, base := path.Split(c.file)
	base = clean(strings.TrimSuffix(base, path.Ext(base)))
	wishes := []string{name, name + kindNames[c.shape]}
	if folder := clean(path.Base(dir)); dir != "" && folded(base) == folded(name) {
		wishes = append(wishes, folder+"_"+name)
	} else if folded(base) != folded(name) {
		wishes = append(wishes, base+"_"+name)
	}
	return taken.choose(wishes...)
}

// components is the section of the document with all components.
func (b *bundler) components(at Position) *node {
	var sections []field
	for _, s := range []shape{schemaShape, responseShape, parameterShape, requestBodyShape, headerShape,
		securitySchemeShape, linkShape, callbackShape} {
		var fields []field
		seen := make(map[string]bool)
		for _, c := range b.order {
			if c.shape == s && !seen[c.name] && c.node != nil {
				seen[c.name] = true
				place := c.at
				if place == (Position{}) {
					place = c.raw.at
				}
				fields = append(fields, field{c.name, place, c.node})
			}
		}
		if len(fields) > 0 {
			sections = append(sections, field{section[s], fields[0].at, newMapping(fields[0].at, fields...)})
		}
	}
	return newMapping(at, sections...)
}

// nameSchemes fills the names of security schemes in where requirements have marks: see schemeMark.
func (b *bundler) nameSchemes(n *node) *node {
	list := newSequence(n.at)
	for _, requirement := range n.items {
		fields := slices.Clone(requirement.fields)
		for i, f := range fields {
			if number, ok := strings.CutPrefix(f.name, schemeMark); ok {
				index, _ := strconv.Atoi(number)
				fields[i].name = b.order[index].name
			}
		}
		list.items = append(list.items, newMapping(requirement.at, fields...))
	}
	return list
}

// kindNames are put after a component's name when that is taken.
var kindNames = map[shape]string{schemaShape: "Schema", responseShape: "Response", parameterShape: "Parameter",
	requestBodyShape: "RequestBody",
	headerShape:      "Header", linkShape: "Link", callbackShape: "Callback", securitySchemeShape: "Scheme"}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)
