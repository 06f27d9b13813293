package impact

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// differ finds the differences of two flat APIs in the operations that both have.
type differ struct {
	now, was *flat
	all      []divergence
	seen     map[string]bool // pairs of schemas of this operation
	here     divergence      // what all differences of this place have in common
}

func divergences(now, was *flat) []divergence {
	d := &differ{now: now, was: was}
	known := make(map[string]pointer)
	eachOperation(was, func(at pointer) { known[shapeOf(at)] = at })
	eachOperation(now, func(at pointer) {
		if before := known[shapeOf(at)]; before != nil {
			d.here, d.seen = divergence{operation: at}, make(map[string]bool)
			d.operation(at, before)
		}
	})
	return d.all
}

func eachOperation(f *flat, visit func(pointer)) {
	for path, item := range inOrder(f.children(pointer{"paths"})) {
		for _, method := range methods {
			if f.object(item.with(method)) != nil {
				visit(pointer{"paths", path, method})
			}
		}
	}
}

// shapeOf names an operation whatever the parameters of its path are called.
func shapeOf(operation pointer) string {
	return operation[2] + " " + templated.ReplaceAllString(operation[1], "{}")
}

func (d *differ) operation(now, was pointer) {
	before := parameters(d.was, was)
	for name, at := range inOrder(parameters(d.now, now)) {
		if before[name] != nil {
			d.here.subject = "the " + name
			d.keywords(at, before[name], "", narrows)
			d.content(at, before[name], d.here.subject)
		}
	}
	d.content(d.now.resolve(now.with("requestBody")), d.was.resolve(was.with("requestBody")), "the request body")
	d.here.response = true
	for status, at := range inOrder(d.now.children(now.with("responses"))) {
		at, before := d.now.resolve(at), d.was.resolve(was.with("responses", status))
		subject := fmt.Sprintf("the response with the status `%s`", status)
		d.content(at, before, subject)
		headers := d.was.children(before.with("headers"))
		for name, header := range inOrder(d.now.children(at.with("headers"))) {
			if headers[name] != nil {
				d.here.subject = fmt.Sprintf("the header `%s` of %s", name, subject)
				d.keywords(d.now.resolve(header), d.was.resolve(headers[name]), "", narrows)
			}
		}
	}
}

// parameters are those of an operation, and those of its path that it does not override.
func parameters(f *flat, operation pointer) map[string]pointer {
	all := make(map[string]pointer)
	for _, of := range []pointer{operation.parent(), operation} {
		list, _ := f.get(of.with("parameters"))
		items, _ := list.([]any)
		for i := range items {
			at := f.resolve(of.with("parameters", itoa(i)))
			p := f.object(at)
			all[fmt.Sprintf("%v parameter `%v`", p["in"], p["name"])] = at
		}
	}
	return all
}

// content compares what both have of a body's media types.
func (d *differ) content(now, was pointer, subject string) {
	d.here.subject = subject
	known := d.was.children(was.with("content"))
	for media, at := range inOrder(d.now.children(now.with("content"))) {
		now, was := at.with("schema"), known[media].with("schema")
		d.here.schema = at
		if d.now.has(now) && d.was.has(was) { // where only one has a schema there is a check
			d.schema("schema", now, was, "", "", narrows)
		}
	}
}

// schema compares the schemas that two have under a keyword: path is the way to the two, below the subject, and sense
// what it is for the values that fit when these are narrowed.
func (d *differ) schema(key string, now, was pointer, path, inner string, sense effect) {
	at, before := d.now.resolve(now), d.was.resolve(was)
	if d.now.object(at) == nil || d.was.object(before) == nil {
		d.value(key, now, was, path, sense)
		return
	}
	if pair := fmt.Sprint(at.String(), "\x01", before.String(), d.here.response); !d.seen[pair] {
		d.seen[pair] = true
		d.keywords(at, before, inner, sense*senseOf(key))
	}
}

// keywords compares what two schemas, parameters or headers ask for.
func (d *differ) keywords(now, was pointer, path string, sense effect) {
	is, before := d.now.object(now), d.was.object(was)
	for _, key := range unionOfKeys(is, before) {
		at, old, inner := now.with(key), was.with(key), join(path, key)
		d.here.schema = now
		switch {
		case !asks(key):
		case key == "schema":
			d.schema(key, at, old, path, path, sense)
		case slices.Contains(innerSchemas, key):
			d.schema(key, at, old, path, inner, sense)
		case slices.Contains(namedSchemas, key):
			if key == "properties" {
				inner = path
			}
			for _, name := range unionOfKeys(d.now.object(at), d.was.object(old)) {
				field := join(inner, name)
				d.schema(key, at.with(name), old.with(name), field, field, sense)
			}
		case slices.Contains(listedSchemas, key) && isList(is[key]) && isList(before[key]):
			d.listed(key, at, old, path, sense)
		case key == "required" && !isFlag(is[key]) && !isFlag(before[key]), isList(is[key]) && isList(before[key]):
			d.elements(key, at, old, path, sense)
		default:
			d.value(key, at, old, path, sense)
		}
	}
}

func unionOfKeys(a, b map[string]any) []string {
	both := maps.Clone(a)
	if both == nil {
		both = make(map[string]any)
	}
	maps.Copy(both, b)
	return slices.Sorted(maps.Keys(both))
}

func isList(value any) bool {
	_, is := value.([]any)
	return is
}

func isFlag(value any) bool {
	_, is := value.(bool)
	return is
}

func join(path, name string) string { return strings.TrimPrefix(path+"/"+name, "/") }

// note adds a difference below the subject.
func (d *differ) note(keyword string, now, was pointer, path string, e effect) {
	one := d.here
	one.path, one.keyword, one.now, one.was, one.effect = path, keyword, now, was, e
	if path != "" {
		one.subject = fmt.Sprintf("`%s` of %s", path, one.subject)
	}
	if was != nil {
		one.value[0], _ = d.was.get(was)
		one.target = d.was.resolve(was)
	}
	if now != nil {
		one.value[1], _ = d.now.get(now)
		one.target = d.now.resolve(now)
	}
	d.all = append(d.all, one)
}

// value compares what is under one keyword.
func (d *differ) value(key string, now, was pointer, path string, sense effect) {
	is, has := d.now.get(now)
	before, had := d.was.get(was)
	number, isNumber := is.(float64)
	limit, wasNumber := before.(float64)
	isNumber = isNumber && wasNumber
	// without one of these keywords any value fits, though none is evaluated
	free := slices.Contains(innerSchemas, key) && key != "not" && key != "if" && key != "contains"
	same := free && anything(is) && anything(before) && (has == had || !d.now.evaluates && !d.was.evaluates)
	switch {
	case same, reflect.DeepEqual(is, before) && has == had:
	case !has:
		d.note(key, nil, was, path, -sense)
	case !had:
		d.note(key, now, nil, path, sense)
	case free && (is == false || anything(before)),
		isNumber && slices.Contains(lowest, key) && number > limit,
		isNumber && slices.Contains(highest, key) && number < limit:
		d.note(key, now, was, path, sense)
	case free && (before == false || anything(is)),
		isNumber && slices.Contains(slices.Concat(lowest, highest), key):
		d.note(key, now, was, path, -sense)
	default:
		d.note(key, now, was, path, unknown)
	}
}

// listed compares lists of schemas: those that are equal, then the others in their order.
func (d *differ) listed(key string, now, was pointer, path string, sense effect) {
	added := sense
	switch key {
	case "anyOf":
		added = -sense // one more is one more way to fit
	case "oneOf":
		added = unknown
	}
	old := items(d.was, was)
	var left []pointer
	for _, at := range items(d.now, now) {
		i := slices.IndexFunc(old, func(o pointer) bool { return d.equal(at, o) })
		if i < 0 || key == "prefixItems" {
			left = append(left, at)
			continue
		}
		d.schema(key, at, old[i], path, join(path, key), sense) // they may refer to what differs
		old = slices.Delete(old, i, i+1)
	}
	for i := range max(len(left), len(old)) {
		switch {
		case i >= len(old):
			d.note(key, left[i], nil, path, added)
		case i >= len(left):
			d.note(key, nil, old[i], path, -added)
		default:
			d.schema(key, left[i], old[i], path, join(path, key), sense)
		}
	}
}

func items(f *flat, at pointer) (all []pointer) {
	list, _ := f.get(at)
	values, _ := list.([]any)
	for i := range values {
		all = append(all, at.with(itoa(i)))
	}
	return all
}

func (d *differ) equal(now, was pointer) bool {
	is, _ := d.now.get(now)
	before, _ := d.was.get(was)
	return reflect.DeepEqual(is, before)
}

// elements compares lists whose order says nothing: required, enum, type.
func (d *differ) elements(key string, now, was pointer, path string, sense effect) {
	if key != "required" {
		sense = -sense // one more is one more that fits
	}
	old := items(d.was, was)
	for _, at := range items(d.now, now) {
		if i := slices.IndexFunc(old, func(o pointer) bool { return d.equal(at, o) }); i >= 0 {
			old = slices.Delete(old, i, i+1)
		} else if !d.onlyIn(d.now, at, d.was, was) {
			d.note(key, at, nil, path, sense)
		}
	}
	for _, at := range old {
		if !d.onlyIn(d.was, at, d.now, now) {
			d.note(key, nil, at, path, -sense)
		}
	}
}

// onlyIn reports whether the name at a place is a field of that schema, and none of another: the field's own difference
// says so.
func (d *differ) onlyIn(f *flat, at pointer, other *flat, list pointer) bool {
	value, _ := f.get(at)
	name, _ := value.(string)
	has := func(f *flat, list pointer) bool { return f.object(list.parent().with("properties"))[name] != nil }
	return at.parent()[len(at)-2] == "required" && has(f, at.parent()) && !has(other, list)
}
