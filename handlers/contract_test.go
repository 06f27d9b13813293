package handlers

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"go.uber.org/goleak"

	"postern/gen"
)

// theContract holds every answer of this package's tests against api/login.yaml and remembers which
// operations and status codes were seen.
var theContract = mustReadAnswers()

type answers struct {
	spec *openapi3.T
	mu   sync.Mutex
	seen map[string]bool // "login 200"
}

func mustReadAnswers() *answers {
	spec, err := gen.GetSpec()
	if err != nil {
		panic(err)
	}
	return &answers{spec: spec, seen: make(map[string]bool)}
}

// TestMain runs the tests and then the check that nothing in the contract was left out: an operation or a
// status code that is documented but never exercised fails the suite. A run of selected tests can't tell.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.steps", "60"); err != nil { // long enough for a day with several mishaps
		panic(err)
	}
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
	if missing := theContract.missing(); whole && code == 0 && len(missing) > 0 {
		for _, what := range missing {
			fmt.Printf("contract: %s is documented but never exercised\n", what)
		}
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

func (a *answers) missing() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var missing []string
	for _, item := range a.spec.Paths.Map() {
		for _, op := range item.Operations() {
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

// checkAnswer fails for a status, a body or a field that the contract does not declare. Answers outside of
// the contract's operations (unknown paths, wrong methods, preflights) only have to be Matrix errors or empty.
func (a *answers) checkAnswer(method, path string, answer answer) error {
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
	if response.Value.Content.Get("text/html") != nil {
		if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
			return fmt.Errorf("Content-Type is %q", got)
		}
		return nil
	}
	media := response.Value.Content.Get("application/json")
	if media == nil {
		return errors.New("the contract declares no body")
	}
	if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		return fmt.Errorf("Content-Type is %q", got)
	}
	if err := media.Schema.Value.VisitJSON(map[string]any(answer.JSON)); err != nil {
		return err
	}
	return undeclared(media.Schema.Value, answer.JSON)
}

// undeclared finds a field that the schema does not name, at any depth; JSON Schema alone would let it pass.
func undeclared(schema *openapi3.Schema, value any) error {
	switch value := value.(type) {
	case map[string]any:
		if schema.AdditionalProperties.Has != nil && *schema.AdditionalProperties.Has {
			return nil
		}
		for field, inner := range value {
			property := schema.Properties[field]
			if property == nil {
				return fmt.Errorf("the contract declares no field %q", field)
			}
			if err := undeclared(property.Value, inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range value {
			if err := undeclared(schema.Items.Value, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *answers) find(method, path string) *openapi3.Operation {
	path, _, _ = strings.Cut(path, "?")
	path = strings.Replace(path, "/_matrix/client/r0/", "/_matrix/client/v3/", 1)
	for template, item := range a.spec.Paths.Map() {
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

// TestPublicList compares the operations that pass without a token with `security` in the contract.
func TestPublicList(t *testing.T) {
	t.Parallel()
	c, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, op := range c.operations {
		name := goName(op.id)
		known[name] = true
		if public[name] == op.secured {
			t.Errorf("%s: public is %v in auth.go, but security is asked for: %v in the contract", op.id, public[name],
				op.secured)
		}
		if !op.secured && expiredMay[name] {
			t.Errorf("%s: expiredMay means nothing for a public operation", op.id)
		}
	}
	for name := range public {
		if !known[name] {
			t.Errorf("public names %s, which is not in the contract", name)
		}
	}
}

// goName is an operation id as the generated code spells it.
func goName(id string) string {
	words := strings.Split(id, "_")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
