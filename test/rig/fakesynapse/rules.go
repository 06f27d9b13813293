package fakesynapse

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode"
)

// A call is a request that passed the checks of its form.
type call struct {
	name string
	body map[string]any // of a GET: its query
}

func (c call) text(field string) string { text, _ := c.body[field].(string); return text }
func (c call) localpart() string        { return c.text("localpart") }

// A field is one that a body may have. Others are ignored. What is wrong with its type is what pydantic's strict mode
// says is wrong.
type field struct {
	name     string
	required bool
	nullable bool
	fits     func(any) bool
}

func isText(v any) bool  { _, ok := v.(string); return ok }
func isTruth(v any) bool { _, ok := v.(bool); return ok }

func isTexts(v any) bool {
	all, ok := v.([]any)
	for _, one := range all {
		ok = ok && isText(one)
	}
	return ok
}

// read checks who calls and the form of the call.
func (s *Server) read(r *http.Request) (call, *reply) {
	name, ours := strings.CutPrefix(r.URL.Path, "/_synapse/mas/")
	rule, known := obeyed[name]
	if !ours || !known {
		return call{}, &reply{404, nil} // a page for people, and no JSON
	}
	if r.Method != rule.method {
		return call{}, refuse(405, "M_UNRECOGNIZED", "Unrecognized request")
	}
	switch shown := r.Header.Get("Authorization"); {
	case shown == "":
		return call{}, refuse(401, "M_MISSING_TOKEN", "Missing access token")
	case shown != "Bearer "+s.secret:
		return call{}, refuse(403, "M_UNKNOWN", "This endpoint must only be called by MAS")
	}
	c := call{name: name, body: make(map[string]any)}
	if rule.method == http.MethodGet {
		for key, values := range r.URL.Query() {
			c.body[key] = values[0]
		}
		if _, given := c.body["localpart"]; !given {
			return c, refuse(400, rule.missing, "Missing localpart")
		}
		if strings.ContainsFunc(c.localpart(), func(r rune) bool { return r > unicode.MaxASCII }) {
			return c, refuse(400, "M_UNKNOWN", "Query parameter 'localpart' must be ascii")
		}
		return c, nil
	}
	return c, c.readBody(r.Body, rule)
}

func (c *call) readBody(body io.Reader, rule rule) *reply {
	text, err := io.ReadAll(body)
	var v any
	if err != nil || json.Unmarshal(text, &v) != nil {
		return refuse(400, "M_NOT_JSON", "Content not JSON.")
	}
	object, ok := v.(map[string]any)
	if !ok {
		return refuse(400, "M_BAD_JSON", "Content must be a JSON object.")
	}
	c.body = object
	return rule.check(object)
}

// check holds a body against the fields. One thing wrong has an error code of its own, several have not.
func (r rule) check(body map[string]any) *reply {
	for _, pair := range r.apart {
		_, one := body["set_"+pair]
		_, other := body["unset_"+pair]
		if one && other {
			return refuse(400, "M_INVALID_PARAM", "Cannot specify both")
		}
	}
	missing, wrong := 0, 0
	for _, f := range r.fields {
		v, given := body[f.name]
		switch {
		case !given && f.required:
			missing++
		case given && (v != nil || !f.nullable) && !f.fits(v):
			wrong++
		}
	}
	switch {
	case missing == 1 && wrong == 0:
		return refuse(400, "M_MISSING_PARAM", "Field required")
	case missing+wrong > 0:
		return refuse(400, "M_BAD_JSON", "validation errors")
	}
	return nil
}

// A rule is what a call must look like, and what it does.
type rule struct {
	method  string
	missing string   // the code when a GET names nobody
	apart   []string // what cannot be set and unset at once
	fields  []field
	do      func(*Server, call) *reply
}

var (
	whom  = field{name: "localpart", required: true, fits: isText}
	which = field{name: "device_id", required: true, fits: isText}
)
