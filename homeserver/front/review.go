package front

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Edit changes an answer of the homeserver, a JSON object.
type Edit func(object map[string]json.RawMessage)

// mostRead is how much of an answer is read here, where it has to be.
const mostRead = 1 << 20

// late is how long a request waits before it is asked again whether its session lives.
const late = time.Second

// upstream is the homeserver, reviewed.
type upstream struct{ *Front }

// RoundTrip asks the homeserver, and looks over what it says.
func (u upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	p := passing(r)
	res, err := u.wire.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	u.answered()
	if p.passage.Ours && res.StatusCode == http.StatusUnauthorized {
		if res, err = u.disowned(p, r, res); err != nil {
			return nil, err
		}
	}
	if p.passage.Ours && time.Since(p.begun) > late {
		if over := newPage(); u.Ended(over, p.client, p.sent) {
			res.Body.Close()
			return over.response(r), nil
		}
	}
	if edit := u.Edits[p.key(r)]; edit != nil && res.StatusCode == http.StatusOK && isJSON(res.Header) {
		return edited(res, edit)
	}
	return res, nil
}

// disowned handles a 401 for a token that was good a moment ago. If it still is, the homeserver has not heard of the
// device yet, or remembers something older; a client that read M_UNKNOWN_TOKEN would throw its keys away for that.
func (u upstream) disowned(p *passed, r *http.Request, res *http.Response) (*http.Response, error) {
	unknown, err := saysUnknown(res)
	if err != nil || !unknown {
		return res, err
	}
	refusal := newPage()
	passage, good := u.Exchange(refusal, p.client, p.path, p.sent)
	if !good {
		return refusal.response(r), nil
	}
	if again := r.Clone(r.Context()); r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		again.Header["Authorization"] = []string{"Bearer " + passage.Token}
		if res, err = u.wire.RoundTrip(again); err != nil {
			return nil, err
		}
		if unknown, err = saysUnknown(res); err != nil || !unknown {
			return res, err
		}
	}
	u.Log.Warn("the homeserver does not know a session that is good; it is told of the device again", "path", p.name)
	u.Disowned(p.client, p.sent)
	wait := newPage()
	later(wait, 2, "The homeserver does not know this session yet. Try again.")
	return wait.response(r), nil
}

// saysUnknown reports whether an answer is M_UNKNOWN_TOKEN, and leaves it as it was.
func saysUnknown(res *http.Response) (bool, error) {
	if res.StatusCode != http.StatusUnauthorized || !isJSON(res.Header) {
		return false, nil
	}
	text, whole, err := peek(res)
	if err != nil || !whole {
		return false, err
	}
	var said struct {
		Errcode string `json:"errcode"`
	}
	return json.Unmarshal(text, &said) == nil && said.Errcode == "M_UNKNOWN_TOKEN", nil
}

// edited is an answer with a change. What is no object passes as it is.
func edited(res *http.Response, edit Edit) (*http.Response, error) {
	text, whole, err := peek(res)
	if err != nil || !whole {
		return res, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		return res, nil
	}
	edit(object)
	if text, err = json.Marshal(object); err != nil {
		return nil, err
	}
	res.Header.Del("ETag") // of the text that is not sent
	return remade(res, text), nil
}

// peek reads the body of an answer, and puts it back. It is not whole when it is larger than anything that is looked at
// here.
func peek(res *http.Response) (text []byte, whole bool, err error) {
	text, err = io.ReadAll(io.LimitReader(res.Body, mostRead))
	if err != nil {
		res.Body.Close()
		return nil, false, err
	}
	rest := res.Body
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), rest), rest}
	return text, len(text) < mostRead, nil
}
