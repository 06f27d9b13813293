package requests

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// archive is an HTTP Archive (HAR) 1.2. What begins with an underscore is our own, as the format has it.
type archive struct {
	Log struct {
		Version string            `json:"version"`
		Creator creator           `json:"creator"`
		Postern *state            `json:"_postern,omitempty"`
		Entries []json.RawMessage `json:"entries"`
	} `json:"log"`
}

type creator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// state is what the page is told besides the entries.
type state struct {
	Last    int    `json:"last"`
	Missing []Call `json:"missing"`
}

func newArchive() (a archive) {
	a.Log.Version, a.Log.Creator = "1.2", creator{Name: "Postern", Version: "1"}
	a.Log.Entries = []json.RawMessage{}
	return a
}

type entry struct {
	Started  time.Time `json:"startedDateTime"`
	Time     float64   `json:"time"` // in ms, as all times are
	Request  asked     `json:"request"`
	Response answered  `json:"response"`
	Cache    struct{}  `json:"cache"`
	Timings  timings   `json:"timings"`
	Postern  details   `json:"_postern"`
}

// details are what Postern knows of an entry.
type details struct {
	Number    int    `json:"number"`
	Operation string `json:"operation,omitempty"` // none: the spec does not have it
	By        string `json:"answeredBy,omitempty"`
	Violation string `json:"violated,omitempty"`
	Error     string `json:"error,omitempty"` // code and message of an answer that is one
}

// field is a name and a value.
type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type asked struct {
	Method  string  `json:"method"`
	URL     string  `json:"url"`
	Version string  `json:"httpVersion"`
	Cookies []field `json:"cookies"`
	Headers []field `json:"headers"`
	Query   []field `json:"queryString"`
	Body    *posted `json:"postData,omitempty"`
	sizes
}

type posted struct {
	Kind string `json:"mimeType"`
	shown
}

type answered struct {
	Status   int     `json:"status"` // 0: there was none
	Text     string  `json:"statusText"`
	Version  string  `json:"httpVersion"`
	Cookies  []field `json:"cookies"`
	Headers  []field `json:"headers"`
	Content  content `json:"content"`
	Redirect string  `json:"redirectURL"`
	sizes
}

type content struct {
	Size int64  `json:"size"`
	Kind string `json:"mimeType"`
	shown
}

// shown is what is shown of a body, and why it is not all.
type shown struct {
	Text    string `json:"text"`
	Comment string `json:"comment,omitempty"`
}

type sizes struct {
	Headers int   `json:"headersSize"` // -1: not counted
	Body    int64 `json:"bodySize"`
}

type timings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

// entry describes the exchange with its secrets hidden.
func (x *exchange) entry() entry {
	ms := float64(x.took.Microseconds()) / 1000
	return entry{
		Started: x.began, Time: ms, Request: x.asked(), Response: x.answered(), Timings: timings{Wait: ms},
		Postern: details{Operation: x.note.Operation, By: x.answer.header.Get("Postern-Answered-By"),
			Violation: line(x.note.Violation), Error: x.answer.problem()},
	}
}

func (x *exchange) asked() asked {
	r := x.request
	pairs, query := form(x.url.RawQuery)
	a := asked{
		Method: r.Method, URL: "http://" + r.Host + scrub(x.url.EscapedPath()), Version: r.Proto, Cookies: []field{},
		Headers: headers(r.Header), Query: pairs, sizes: sizes{-1, x.body.size},
	}
	if query != "" {
		a.URL += "?" + query
	}
	if x.body.size > 0 {
		a.Body = &posted{scrub(r.Header.Get("Content-Type")), x.body.show(r.Header)}
	}
	return a
}

func (x *exchange) answered() answered {
	if x.answer.status == 0 && x.ended { // the handler wrote nothing, which is an answer too
		x.answer.status, x.answer.header = http.StatusOK, x.answer.Header().Clone()
	}
	a := &x.answer
	return answered{
		Status: a.status, Text: http.StatusText(a.status), Version: x.request.Proto, Cookies: []field{},
		Headers: headers(a.header), Content: content{a.size, scrub(a.header.Get("Content-Type")), a.show(a.header)},
		Redirect: scrub(a.header.Get("Location")), sizes: sizes{-1, a.size},
	}
}

// show gives what of a body may be seen. JSON is known by how it begins: a plain `curl -d` says that it sends a form.
func (s *sample) show(h http.Header) shown {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if s.size == 0 {
		return shown{}
	}
	if plain(h) {
		begin := bytes.TrimLeft(s.kept, " \t\r\n")
		switch isJSON := len(begin) > 0 && (begin[0] == '{' || begin[0] == '['); {
		case isJSON:
			text, whole := hideJSON(s.kept)
			return s.as(text, whole, "could not be read as JSON from here on")
		case kind == "application/x-www-form-urlencoded":
			_, text := form(s.whole())
			return s.as(text, true, "")
		}
	}
	return shown{Comment: fmt.Sprintf("%s is not shown, %d bytes", cmp.Or(line(kind), "a body of no kind"), s.size)}
}

// as says why a text ends where it does.
func (s *sample) as(text string, whole bool, why string) shown {
	switch {
	case s.cut():
		return shown{text, fmt.Sprintf("cut after %d KiB of %d bytes", maxBody>>10, s.size)}
	case !whole:
		return shown{text, why}
	}
	return shown{Text: text}
}

// whole is the sample without a pair that was cut: what is left of its value may be a part of a secret, which is hidden
// all the same, or of a name.
func (s *sample) whole() string {
	text := string(s.kept)
	if s.cut() {
		text = text[:max(0, strings.LastIndexByte(text, '&'))]
	}
	return text
}

// problem is the code and the message of a Matrix error, or of one of OAuth.
func (a *answer) problem() string {
	var e struct {
		Code    string `json:"errcode"`
		Message string `json:"error"`
		More    string `json:"error_description"`
	}
	if a.status < 400 || a.cut() || !plain(a.header) || json.Unmarshal(a.kept, &e) != nil {
		return ""
	}
	code, message := e.Code, e.Message
	if code == "" {
		code, message = e.Message, e.More
	}
	return line(strings.TrimSuffix(code+": "+message, ": "))
}
