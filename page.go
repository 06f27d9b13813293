package main

import (
	"net/http"
	"strings"
	"time"

	"postern/gen"
	"postern/handlers"
	"postern/lab/page"
)

// pagePaths are what is not Matrix's: the page of the spec lab.
const pagePaths = "/_postern/"

// handler is the server and, for who develops, the page.
func (cmd *serveCmd) handler(s *handlers.Server) (http.Handler, error) {
	if !cmd.Dev {
		return s.Handler(), nil
	}
	document, err := builtIn()
	if err != nil {
		return nil, err
	}
	return pageHandler(document, s), nil
}

// pageHandler answers at and below /_postern/ with the page, which shows the API that document gives, and all else as the server does.
func pageHandler(document func() []byte, s *handlers.Server) http.Handler {
	lab := page.Handler(page.Config{Document: document, Judge: s.Judge, Now: time.Now})
	matrix := s.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, pagePaths) { // no ServeMux: it would mend the paths of Matrix's requests, too
			lab.ServeHTTP(w, r)
			return
		}
		matrix.ServeHTTP(w, r)
	})
}

// builtIn is the contract that the binary was made from, as the page wants it: every operation is real.
func builtIn() (func() []byte, error) {
	spec, err := gen.GetSpec()
	if err != nil {
		return nil, err
	}
	for _, item := range spec.Paths.Map() {
		for _, operation := range item.Operations() {
			if operation.Extensions == nil {
				operation.Extensions = make(map[string]any)
			}
			operation.Extensions["x-postern-answered-by"] = "real"
		}
	}
	text, err := spec.MarshalJSON()
	return func() []byte { return text }, err
}
