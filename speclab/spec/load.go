package spec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// load is Load, whose libraries may panic.
func load(fsys fs.FS, names []string) (api *API, err error) {
	at := Position{File: names[0], Line: 1}
	defer func() {
		if r := recover(); r != nil {
			api, err = nil, Problems{{Position: at, What: fmt.Sprintf("the spec cannot be read: %v", r),
				Fix: "leave out what is new in it, bit by bit, to find what is not understood"}}
		}
	}()
	b, doc := bundle(fsys, names)
	if len(b.problems) > 0 || doc == nil {
		return nil, b.sorted()
	}
	if problems := validate(at, doc); len(problems) > 0 {
		return nil, problems
	}
	w := write(doc)
	loaded, err := w.load()
	if err != nil {
		return nil, Problems{w.problem(at, err)}
	}
	w.restore(reflect.ValueOf(loaded), make(map[any]bool))
	gaps := Problems(b.gaps)
	gaps.sort()
	api = &API{Doc: loaded, Files: b.files.names(), Gaps: gaps, tree: doc, main: names[0]}
	api.warnings = sync.OnceValue(func() Problems {
		all := append(slices.Clone(gaps), api.wrongExamples()...)
		all.sort()
		return all
	})
	return api, nil
}

// load has the library read what was written, and remember the lines.
func (w *writer) load() (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	return loader.LoadFromData(w.Bytes())
}

// validate asks the library whether it is an OpenAPI document. Examples are not validated by their schemas: many
// published ones are not valid.
//
// The library follows each reference anew each time it meets it, which takes forever where forty schemas refer to two
// of the next each. All components are looked at in their own place, so references to schemas are left out here.
func validate(at Position, doc *node) Problems {
	w := write(withoutReferences(doc))
	loaded, err := w.load()
	if err != nil {
		return Problems{w.problem(at, err)}
	}
	err = loaded.Validate(context.Background(), openapi3.EnableMultiError(), openapi3.DisableExamplesValidation(),
		openapi3.DisableSchemaDefaultsValidation(),
		openapi3.DisableSchemaPatternValidation(), openapi3.AllowExtensionsWithRef())
	if err != nil {
		return w.problems(at, err)
	}
	return nil
}

// withoutReferences has any schema where there are references to schemas.
func withoutReferences(n *node) *node {
	switch n.kind {
	case mappingNode:
		if strings.HasPrefix(n.text("$ref"), "#/components/schemas/") {
			return newMapping(n.at)
		}
		fields := make([]field, 0, len(n.fields))
		for _, f := range n.fields {
			if f.name != "discriminator" {
				fields = append(fields, field{f.name, f.at, withoutReferences(f.value)})
			}
		}
		return newMapping(n.at, fields...)
	case sequenceNode:
		list := newSequence(n.at)
		for _, item := range n.items {
			list.items = append(list.items, withoutReferences(item))
		}
		return list
	}
	return n
}

// sorted is the problems in the order of their places, each once.
func (b *bundler) sorted() Problems {
	all := Problems(b.problems)
	all.sort()
	all = slices.Compact(all)
	if len(all) > maxProblems {
		all = all[:maxProblems]
	}
	return all
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.What, b.What))
	})
}

// problems are the library's errors, each with its place in the files.
func (w *writer) problems(at Position, err error) Problems {
	var many openapi3.MultiError
	all := Problems{}
	if errors.As(err, &many) {
		for _, one := range many {
			all = append(all, w.problems(at, one)...)
		}
	} else {
		all = Problems{w.problem(at, err)}
	}
	all.sort()
	return slices.Compact(all)
}

// problem finds the innermost place that an error knows.
func (w *writer) problem(at Position, err error) Problem {
	what := strings.ReplaceAll(firstLine(err.Error()), "\n", " ")
	if len(what) > 300 {
		what = what[:300] + "…"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if origin := originOf(inner); origin != nil && origin.Key != nil {
			if place, ok := w.place(origin.Key.Line); ok {
				at = place
			}
		}
	}
	if found := lineInError.FindStringSubmatch(what); found != nil {
		var line int
		fmt.Sscan(found[1], &line)
		if place, ok := w.place(line); ok {
			at = place
		}
	}
	return Problem{Position: at, What: what, Fix: "see what OpenAPI 3.1 says of it"}
}

// originOf is the field Origin of the library's errors: there are dozens of types that have one.
func originOf(err error) *openapi3.Origin {
	v := reflect.Indirect(reflect.ValueOf(err))
	if v.Kind() != reflect.Struct {
		return nil
	}
	f := v.FieldByName("Origin")
	if !f.IsValid() || !f.CanInterface() {
		return nil
	}
	origin, _ := f.Interface().(*openapi3.Origin)
	return origin
}

// restore gives the document's parts their places in the files, instead of those in the text that the library read.
func (w *writer) restore(v reflect.Value, seen map[any]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Interface()] {
			return
		}
		seen[v.Interface()] = true
		if origin, ok := v.Interface().(*openapi3.Origin); ok {
			w.relocate(origin)
			return
		}
		w.restore(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous {
				w.restore(v.Field(i), seen)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			w.restore(v.MapIndex(key), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.restore(v.Index(i), seen)
		}
	}
}

func (w *writer) relocate(o *openapi3.Origin) {
	move := func(l *openapi3.Location) {
		if place, ok := w.place(l.Line); ok {
			l.File, l.Line, l.Column, l.EndLine, l.EndColumn = place.File, place.Line, place.Column, 0, 0
		}
	}
	if o.Key != nil {
		move(o.Key)
	}
	for i := range o.Fields {
		move(&o.Fields[i])
	}
	for _, list := range o.Sequences {
		for i := range list {
			move(&list[i])
		}
	}
}
