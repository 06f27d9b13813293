package mock_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"postern/speclab/mock"
	"postern/speclab/spec"
)

// A handler of two lines implements getWord; getSaying exists in the spec only.
func Example() {
	dir, _ := os.MkdirTemp("", "mock")
	defer os.RemoveAll(dir)
	contract := "openapi: 3.1.0\ninfo: {title: words, version: '1'}\npaths:\n" +
		"  /word:\n    get: {operationId: getWord, responses: {'200': {description: a word}}}\n"
	edited := contract +
		"  /saying:\n    get:\n      operationId: getSaying\n      responses:\n" +
		"        '200': {description: a saying, content: {application/json: {example: {saying: so it goes}}}}\n"
	_ = os.WriteFile(filepath.Join(dir, "contract.yaml"), []byte(contract), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "edited.yaml"), []byte(edited), 0o600)

	known, err := spec.Load(os.DirFS(dir), "contract.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	real := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"word":"yes"}`) })
	s, err := mock.New(context.Background(),
		mock.Config{Real: real, Contract: known, Dir: dir, Files: []string{"edited.yaml"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for _, path := range []string{"/word", "/saying"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		body, _ := io.ReadAll(w.Body)
		fmt.Println(w.Header().Get("Postern-Answered-By"), string(body))
	}
	// Output:
	// real {"word":"yes"}
	// spec {"saying":"so it goes"}
}
