package matrixtest

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/gen"
)

// contract holds every answer against api/login.yaml.
var contract = Against(gen.GetSpec())

// Answers holds answers against a contract, and remembers which operations and status codes were seen.
type Answers struct {
	Spec *openapi3.T
	mu   sync.Mutex
	seen map[string]bool // "login 200"
}

// Against holds answers against a contract that the generator has embedded.
func Against(spec *openapi3.T, err error) *Answers {
	if err != nil {
		panic(err)
	}
	return &Answers{Spec: spec, seen: make(map[string]bool)}
}

// Contract is the contract that answers are held against.
func Contract() *openapi3.T { return contract.Spec }

// Exercised is the exit code of a suite that holds answers against the contract: code, or 1 if an operation or a status
// code that the contract documents was never seen, of the OAuth 2.0 API's or of all others. A run of selected tests
// cannot tell.
func Exercised(code int, oauth bool) int {
	return contract.Exercised(code,
		func(op *openapi3.Operation) bool { return slices.Contains(op.Tags, "oauth") == oauth })
}

// Exercised is [Exercised] for the operations of a contract that count.
func (a *Answers) Exercised(code int, counts func(*openapi3.Operation) bool) int {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if code != 0 || flag.Lookup(name).Value.String() != "" {
			return code
		}
	}
	for _, what := range a.missing(counts) {
		fmt.Printf("contract: %s is documented but never exercised\n", what)
		code = 1
	}
	return code
}

// Check holds an answer that came by a way of its own against the contract.
func Check(t testing.TB, method, path string, a Answer) {
	t.Helper()
	contract.Check(t, method, path, a)
}

// Check is [Check] for this contract.
func (a *Answers) Check(t testing.TB, method, path string, answer Answer) {
	t.Helper()
	if err := a.check(method, path, answer); err != nil {
		t.Errorf("%s %s %d %s: %v", method, path, answer.Status, answer.Raw, err)
	}
}

func (a *Answers) missing(counts func(*openapi3.Operation) bool) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var missing []string
	for _, item := range a.Spec.Paths.Map() {
		for _, op := range item.Operations() {
			if !counts(op) {
				continue
			}
			for code := range op.Responses.Map() {
				if what := op.OperationID + " " + code; !a.seen[what] {
					missing = append(missing, what)
				}
			}
		}
	}
	sort.Strings(missing)
	return missing
}

// check fails for a status, a body or a field that the contract does not declare. Answers outside of
// the contract's operations (unknown paths, wrong methods, preflights) only have to be Matrix errors or empty.
func (a *Answers) check(method, path string, answer Answer) error {
	op := a.find(method, path)
	if op == nil {
		return nil
	}
	response := op.Responses.Value(strconv.Itoa(answer.Status))
	if response == nil {
		return fmt.Errorf("the contract declares no %d for %s", answer.Status, op.OperationID)
	}
	a.mu.Lock()
	a.seen[op.OperationID+" "+strconv.Itoa(answer.Status)] = true
	a.mu.Unlock()
	for name := range response.Value.Headers {
		if answer.Header.Get(name) == "" {
			return fmt.Errorf("the header %s, which the contract declares, is missing", name)
		}
	}
	for _, kind := range []string{"text/html", "text/plain"} {
		if response.Value.Content[kind] == nil {
			continue
		}
		if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, kind) {
			return fmt.Errorf("Content-Type is %q", got)
		}
		return nil
	}
	media := response.Value.Content.Get("application/json")
	if media == nil && answer.Raw == "" {
		return nil
	}
	if media == nil {
		return errors.New("the contract declares no body")
	}
	if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		return fmt.Errorf("Content-Type is %q", got)
	}
	if err := media.Schema.Value.VisitJSON(map[string]any(answer.JSON)); err != nil {
		return err
	}
	return Undeclared(media.Schema.Value, answer.JSON)
}

// Undeclared finds a field that the schema does not name, at any depth; JSON Schema alone would let it pass.
func Undeclared(schema *openapi3.Schema, value any) error {
	switch value := value.(type) {
	case map[string]any:
		if more := schema.AdditionalProperties; more.Schema != nil || more.Has != nil && *more.Has {
			return nil
		}
		for field, inner := range value {
			property := schema.Properties[field]
			if property == nil {
				return fmt.Errorf("the contract declares no field %q", field)
			}
			if err := Undeclared(property.Value, inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range value {
			if err := Undeclared(schema.Items.Value, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// Operation finds the operation of the contract that a request is for; nil if there is none.
func Operation(method, path string) *openapi3.Operation { return contract.find(method, path) }

func (a *Answers) find(method, path string) *openapi3.Operation {
	path, _, _ = strings.Cut(path, "?")
	path = strings.Replace(path, "/_matrix/client/r0/", "/_matrix/client/v3/", 1)
	for template, item := range a.Spec.Paths.Map() {
		if matches(template, path) {
			return item.GetOperation(method)
		}
	}
	return nil
}

func matches(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}
