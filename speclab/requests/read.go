package requests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Missing reads an archive, of this server's or of a browser's, and gives the calls in it for which found says no, and
// how many requests there are. Preflights of browsers do not count.
func Missing(har io.Reader, found func(method, path string) bool) (missing *Calls, total int, err error) {
	var a struct {
		Log *struct {
			Entries []struct {
				Request  struct{ Method, URL string }
				Response struct{ Status int }
			}
		}
	}
	switch err := json.NewDecoder(har).Decode(&a); {
	case err != nil:
		return nil, 0, fmt.Errorf("it is not an HTTP Archive (HAR): %w", err)
	case a.Log == nil:
		return nil, 0, errors.New("it is not an HTTP Archive (HAR): there is no log in it")
	}
	missing = new(Calls)
	for i, e := range a.Log.Entries {
		at, err := url.Parse(e.Request.URL)
		if err != nil {
			return nil, 0, fmt.Errorf("the request of entry %d has no address that can be read", i+1)
		}
		path := at.EscapedPath()
		if e.Request.Method == http.MethodOptions && !found(e.Request.Method, path) {
			continue
		}
		total++
		if !found(e.Request.Method, path) {
			missing.Add(e.Request.Method, path, e.Response.Status)
		}
	}
	return missing, total, nil
}
