package mock

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// changesBetween lists what a save changed, a few words for each kind of change. It is for the console; `postern spec
// check` reports what a change breaks.
func changesBetween(before, after *edition) []string {
	was, is := before.served(), after.served()
	var added, removed, renamed []string
	var more, fewer, other []string
	for _, as := range sortedKeys(is) {
		now := is[as]
		old := was[as]
		if old == nil {
			added = append(added, now.id+", "+now.told())
			continue
		}
		if old.id != now.id {
			renamed = append(renamed, old.id+" to "+now.id)
		}
		plus, minus, changed := compare(old.facts(now.id), now.facts(now.id))
		more, fewer, other = append(more, plus...), append(fewer, minus...), append(other, changed...)
	}
	for _, as := range sortedKeys(was) {
		if is[as] == nil {
			removed = append(removed, was[as].id)
		}
	}
	var told []string
	for _, kind := range []struct {
		what string
		all  []string
		some func([]string) string
	}{
		{"operation%s added", added, few}, {"operation%s removed", removed, few}, {"operation%s renamed", renamed, few},
		{"field%s added", more, some}, {"field%s removed", fewer, some}, {"field%s changed", other, some},
	} {
		if n := len(kind.all); n > 0 {
			told = append(told, fmt.Sprintf("%d "+kind.what+" (%s)", n, plural(n), kind.some(kind.all)))
		}
	}
	return told
}

// served are the operations of the edited spec.
func (e *edition) served() map[operationKey]*operation {
	all := make(map[operationKey]*operation)
	for _, o := range e.operations {
		if o.edited != nil {
			all[operationKey{o.method, shape(o.path)}] = o
		}
	}
	return all
}

func sortedKeys(all map[operationKey]*operation) []operationKey {
	return slices.SortedFunc(maps.Keys(all), func(a, b operationKey) int {
		return strings.Compare(a.path+" "+a.method, b.path+" "+b.method)
	})
}

func (o *operation) told() string {
	if o.contract == nil {
		return "answered from the spec"
	}
	return "real"
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// most is how many names a line has room for.
const most = 4

// few lists the first names.
func few(all []string) string {
	if len(all) <= most {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:most], "; "), len(all)-most)
}

// some lists a few names. When many are one field in many places, such as in an error, it lists the field.
func some(all []string) string {
	fields := make(map[string]int)
	for _, name := range all {
		fields[name[strings.LastIndex(name, " ")+1:]]++
	}
	if len(all) <= most || len(fields) > most {
		return few(all)
	}
	var told []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		told = append(told, fmt.Sprintf("%s in %s", field, count(fields[field], "place", "places")))
	}
	return strings.Join(told, "; ")
}

// compare lists the names that only one of the two has, and those that differ.
func compare(was, is map[string]string) (added, removed, changed []string) {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		switch old, there := was[name]; {
		case !there:
			added = append(added, name)
		case old != is[name]:
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, there := is[name]; !there {
			removed = append(removed, name)
		}
	}
	return added, removed, changed
}

// facts describe an operation's parameters, statuses and fields, by name, as far as a client notices them.
func (o *operation) facts(id string) map[string]string {
	facts := map[string]string{id + " access token": fmt.Sprint(o.secured)}
	for _, p := range o.parameters {
		facts[fmt.Sprintf("%s %s %s", id, p.In, p.Name)] = fmt.Sprint(p.Required) + signature(p.Schema)
	}
	if o.body != nil {
		facts[id+" request"] = fmt.Sprint(o.body.required) + signature(o.body.schema)
		describeFields(facts, id+" request ", "", o.body.schema, 0)
	}
	if o.edited.Responses == nil {
		return facts
	}
	for code, ref := range o.edited.Responses.Map() {
		facts[id+" "+code] = ""
		if ref != nil && ref.Value != nil {
			if _, media := jsonOf(ref.Value.Content); media != nil {
				describeFields(facts, id+" "+code+" ", "", media.Schema, 0)
			}
		}
	}
	return facts
}

// describeFields adds the fields of a schema, as deep as a line on a console is still readable.
func describeFields(facts map[string]string, prefix, path string, ref *openapi3.SchemaRef, depth int) {
	const deepest, most = 6, 5000
	if ref == nil || ref.Value == nil || depth > deepest || len(facts) > most {
		return
	}
	flat := flatten(ref.Value, 0, 0)
	for _, name := range slices.Sorted(maps.Keys(flat.Properties)) {
		field := flat.Properties[name]
		facts[prefix+path+name] = fmt.Sprint(slices.Contains(flat.Required, name)) + signature(field)
		describeFields(facts, prefix, path+name+".", field, depth+1)
	}
	describeFields(facts, prefix, path, flat.Items, depth+1)
	describeFields(facts, prefix, path+"*.", flat.AdditionalProperties.Schema, depth+1)
}

// signature is what a schema asks for beside its fields, which are described on their own.
func signature(ref *openapi3.SchemaRef) string {
	if ref == nil || ref.Value == nil {
		return ""
	}
	s := *flatten(ref.Value, 0, 0)
	s.Properties, s.Required, s.Items, s.AdditionalProperties.Schema = nil, nil, nil, nil
	s.Title, s.Description, s.Example, s.Examples, s.Default = "", "", nil, nil, nil
	raw, err := json.Marshal(&s)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// sameDemands reports whether two documents differ in nothing but texts and examples.
func sameDemands(before, after string) bool {
	var was, is any
	return json.Unmarshal([]byte(before), &was) == nil && json.Unmarshal([]byte(after), &is) == nil &&
		reflect.DeepEqual(demands(was, ""), demands(is, ""))
}

// demands is a part of a document without the texts and examples. Under some keys the keys are names.
func demands(part any, under string) any {
	switch part := part.(type) {
	case map[string]any:
		kept := make(map[string]any, len(part))
		for key, value := range part {
			named := slices.Contains([]string{"properties", "patternProperties", "schemas", "responses", "parameters",
				"headers"}, under)
			if named || !slices.Contains([]string{"title", "description", "summary", "example", "examples", "default",
				"tags", "externalDocs"}, key) && !strings.HasPrefix(key, "x-") {
				kept[key] = demands(value, key)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(part))
		for i, value := range part {
			kept[i] = demands(value, "")
		}
		return kept
	}
	return part
}

// summary describes the spec at the start: the names of operations if they are few, their counts otherwise.
func (e *edition) summary() string {
	var real, made, only []string
	for _, o := range e.operations {
		switch {
		case o.edited == nil:
			only = append(only, o.id)
		case o.contract == nil:
			made = append(made, o.id)
		default:
			real = append(real, o.id)
		}
	}
	out := fmt.Sprintf("spec: %s real%s, %s from the spec%s; %d more that the spec does not have stay real\n",
		count(len(real), "operation is", "operations are"), list(real), count(len(made), "answers", "answer"),
		list(made), len(only))
	return out
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func list(names []string) string {
	const few = 12
	if len(names) == 0 || len(names) > few {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
