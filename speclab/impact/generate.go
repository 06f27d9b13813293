package impact

import (
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"go.yaml.in/yaml/v3"
)

// generator is what makes Go of an API: oapi-codegen, with the settings of oapi-config.yaml.
type generator struct {
	settings codegen.Configuration
	version  string // that it signs with
}

// oneAtATime: the generator keeps its state in globals.
var oneAtATime sync.Mutex

// newGenerator reads the settings as the generator's own command does. Its version is what the go.mod requires.
func newGenerator(config, mod []byte) (*generator, error) {
	var settings struct {
		codegen.Configuration `yaml:",inline"`
		OutputFile            string `yaml:"output"`
	}
	if err := yaml.Unmarshal(config, &settings); err != nil {
		return nil, fmt.Errorf("the generator's settings: %w", err)
	}
	g := &generator{settings.UpdateDefaults(), generatorVersion(mod)}
	g.settings.OutputOptions.SkipFmt = true // see tidy
	return g, g.settings.Validate()
}

// operation is an operation as the generator names it.
type operation struct {
	goName string // of the method
	name   string // as the spec has it
	at     pointer
}

// generate makes the code, and says what the operations are called in it. It may change the API that it is given.
func (g *generator) generate(api *openapi3.T) (code string, operations []operation, err error) {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	defer func() {
		if cause := recover(); cause != nil { // a construct that it does not know
			err = fmt.Errorf("the generator gives up: %v", cause)
		}
	}()
	shortenDescriptions(api)
	if code, err = codegen.Generate(api, g.settings); err != nil {
		return "", nil, err
	}
	if code, err = tidy(code, g.version); err != nil {
		return "", nil, err
	}
	defined, err := codegen.OperationDefinitions(api)
	if err != nil {
		return "", nil, err
	}
	for _, o := range defined {
		at := pointer{"paths", o.Path, strings.ToLower(o.Method)}
		operations = append(operations, operation{goName: o.OperationId, name: o.SpecOperationId, at: at})
	}
	return code, operations, nil
}

// longestComment is far more than anybody writes about one schema. The generator repeats a schema's description at
// each property that refers to it: a file of 1 MB becomes gigabytes of comments for the compiler to read.
const longestComment = 16 << 10

func shortenDescriptions(api *openapi3.T) {
	_ = api.WalkSchemas(func(_ string, ref *openapi3.SchemaRef) error { // it stops at no error
		if s := ref.Value; s != nil && len(s.Description) > longestComment {
			s.Description = strings.ToValidUTF8(s.Description[:longestComment], "") + "…"
		}
		return nil
	})
}

// typeOf is what the generator calls a component in Go.
func typeOf(component string) string {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	return codegen.SchemaNameToTypeName(component)
}
