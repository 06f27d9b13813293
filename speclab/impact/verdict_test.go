package impact

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"postern/speclab/mock"
	"postern/speclab/spec"
)

// The names and values that generated schemas and bodies are made of: few, so that they meet.
var (
	fieldNames = []string{"a", "b", "c"}
	bodies     = func() (all []any) {
		values := []any{nil, "s", "long", 1.0, []any{}, []any{"s", 2.0, "s"}, map[string]any{},
			map[string]any{"a": "s", "b": 1.0}}
		for _, a := range values {
			for _, b := range values {
				body := map[string]any{"a": a, "b": b}
				maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
				all = append(all, body)
			}
		}
		return append(all, "s", 1.0, true, []any{}, []any{map[string]any{"a": "s"}},
			map[string]any{"c": "s", "x1": 1.0})
	}()
)

// drawKeyword draws a keyword, and what is under it.
func drawKeyword(t *rapid.T, depth int) (string, any) {
	inner := func() any {
		if depth <= 0 {
			return drawFrom(t, "type", map[string]any{"type": "string"}, map[string]any{"type": "object"}, false,
				true, map[string]any{"required": []any{"a"}})
		}
		return drawSchema(t, depth-1)
	}
	named := func(names ...string) any { return map[string]any{rapid.SampledFrom(names).Draw(t, "name"): inner()} }
	key := rapid.SampledFrom([]string{"type", "required", "enum", "const", "minLength", "maxLength", "pattern",
		"minimum", "maximum", "exclusiveMinimum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties",
		"maxProperties", "format", "dependentRequired", "properties", "patternProperties", "dependentSchemas",
		"additionalProperties", "unevaluatedProperties", "unevaluatedItems", "items", "propertyNames", "contains", "not", "if", "then", "allOf",
		"anyOf", "oneOf", "prefixItems"}).Draw(t, "keyword")
	switch key {
	case "type":
		return key, drawFrom(t, key, "string", "object", "array", "number", []any{"object", "string"})
	case "required":
		return key, drawFrom(t, key, []any{"a"}, []any{"b"}, []any{"a", "b"}, []any{"c"})
	case "enum":
		return key, drawFrom(t, key, []any{"s"}, []any{"s", "long"}, []any{1.0, map[string]any{}})
	case "const":
		return key, drawFrom(t, key, "s", 1.0, map[string]any{})
	case "pattern":
		return key, drawFrom(t, key, "^s", "g$")
	case "format":
		return key, drawFrom(t, key, "date", "uuid")
	case "uniqueItems":
		return key, true
	case "dependentRequired":
		return key, drawFrom(t, key, map[string]any{"a": []any{"b"}}, map[string]any{"b": []any{"c"}})
	case "properties":
		return key, named(fieldNames...)
	case "patternProperties":
		return key, named("^[ab]$", "^x")
	case "dependentSchemas":
		return key, named(fieldNames...)
	case "allOf", "anyOf", "oneOf", "prefixItems":
		list := []any{inner()}
		if rapid.Bool().Draw(t, "two") {
			list = append(list, inner())
		}
		return key, list
	}
	if strings.HasPrefix(key, "m") || key == "exclusiveMinimum" {
		return key, drawFrom(t, key, 1.0, 2.0, 3.0)
	}
	return key, inner()
}

func drawFrom(t *rapid.T, label string, values ...any) any {
	return rapid.SampledFrom(values).Draw(t, label)
}

func drawSchema(t *rapid.T, depth int) map[string]any {
	schema := make(map[string]any)
	for range rapid.IntRange(0, 3).Draw(t, "keywords") {
		key, value := drawKeyword(t, depth)
		schema[key] = value
	}
	return schema
}

// drawEdit draws another schema that differs in one keyword, somewhere inside.
func drawEdit(t *rapid.T, schema map[string]any) map[string]any {
	edited := clone(schema)
	var places []map[string]any
	var walk func(any)
	walk = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			places = append(places, part)
			for _, key := range slices.Sorted(maps.Keys(part)) {
				switch {
				case slices.Contains(innerSchemas, key):
					walk(part[key])
				case slices.Contains(namedSchemas, key):
					named, _ := part[key].(map[string]any)
					for _, name := range slices.Sorted(maps.Keys(named)) {
						walk(named[name])
					}
				case slices.Contains(listedSchemas, key):
					walk(part[key])
				}
			}
		case []any:
			for _, one := range part {
				walk(one)
			}
		}
	}
	walk(edited)
	place := rapid.SampledFrom(places).Draw(t, "place")
	if keys := slices.Sorted(maps.Keys(place)); len(keys) > 0 && rapid.Bool().Draw(t, "remove") {
		delete(place, rapid.SampledFrom(keys).Draw(t, "gone"))
	} else {
		key, value := drawKeyword(t, 1)
		place[key] = value
	}
	return edited
}

// specOf is a spec with one operation for each schema of a body.
func specOf(schemas []map[string]any) map[string]any {
	paths := make(map[string]any)
	for i, schema := range schemas {
		paths["/"+itoa(i)] = map[string]any{"post": map[string]any{
			"operationId": "x" + itoa(i),
			"requestBody": map[string]any{"required": true,
				"content": map[string]any{"application/json": map[string]any{"schema": schema}}},
			"responses": map[string]any{"204": map[string]any{"description": "done"}},
		}}
	}
	info := map[string]any{"title": "pairs", "version": "1"}
	return map[string]any{"openapi": "3.1.0", "info": info, "paths": paths}
}

func textOf(t rapid.TB, value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// lab serves a spec as `postern serve --spec` does. Nothing of it is real.
func lab(t rapid.TB, file, text string) *mock.Server {
	contract, err := noContract()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := mock.New(context.Background(), mock.Config{Real: http.NotFoundHandler(), Contract: contract,
		Dir: filepath.Dir(file), Files: []string{filepath.Base(file)}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// noContract is a contract without operations, read once.
var noContract = sync.OnceValues(func() (*spec.API, error) {
	text := []byte("openapi: 3.1.0\ninfo: {title: none, version: '1'}\npaths: {}\n")
	return spec.Load(fstest.MapFS{"none.yaml": &fstest.MapFile{Data: text}}, "none.yaml")
})

// verdict is what a lab says of a body.
func verdict(s *mock.Server, path, body string) int {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return w.Code
}

// TestVerdictsAndChanges: whatever keyword is edited, when the lab refuses a request by the one spec and takes it by
// the other, the check reports a change of that operation.
func TestVerdictsAndChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var before, after []map[string]any
		for range 2 {
			before = append(before, drawSchema(t, 2))
			after = append(after, drawEdit(t, before[len(before)-1]))
		}
		was, is := textOf(t, specOf(before)), textOf(t, specOf(after))
		changed := make(map[string][]string)
		for _, c := range changesOf(t, was, is) {
			for _, at := range c.Operations {
				changed[at] = append(changed[at], c.Text)
			}
		}
		old := lab(t, filepath.Join(dir, "was.yaml"), was)
		defer old.Close()
		now := lab(t, filepath.Join(dir, "is.yaml"), is)
		defer now.Close()
		for i := range before {
			path := "/" + itoa(i)
			if len(changed["POST "+path]) > 0 {
				continue
			}
			for _, body := range bodies {
				text := textOf(t, body)
				if a, b := verdict(old, path, text), verdict(now, path, text); a != b {
					t.Fatalf("%s was answered %d, is answered %d, and nothing is reported:\n%s\n%s", text, a, b,
						textOf(t, before[i]), textOf(t, after[i]))
				}
			}
		}
	})
}

// changesOf compares two texts.
func changesOf(t rapid.TB, was, is string) []Change {
	t.Helper()
	return changesFrom(t, loaded(t, "contract.yaml", was), is)
}

// changesFrom compares a text with what was read already.
func changesFrom(t rapid.TB, was *spec.API, is string) []Change {
	t.Helper()
	_, report, err := compare(Input{Contract: was, Edited: loaded(t, "edited.yaml", is)})
	if err != nil {
		t.Fatalf("%v\n%s", err, is)
	}
	return report.Changes
}

func loaded(t rapid.TB, name, text string) *spec.API {
	t.Helper()
	api, err := spec.Load(fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}}, name)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return api
}
