package front

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reviewer is the transport to the homeserver. It looks at some answers before the client gets them, and replaces those
// that would mislead the client. Where it refuses the request itself, it writes to the client and returns errRefused.
type reviewer struct{ *Front }

// RoundTrip sends a request to the homeserver.
func (f reviewer) RoundTrip(r *http.Request) (*http.Response, error) {
	s := streamOf(r)
	res, err := f.send(r)
	if err != nil {
		return nil, err
	}
	f.reachable()
	res.ContentLength = max(res.ContentLength, 0) // or ReverseProxy would flush, in a goroutine, what is flushed here
	switch {
	case s.refusal != nil && res.StatusCode == http.StatusUnauthorized:
		// This homeserver's operator wants a token where others need none.
		return nil, f.refuse(s, res, s.refusal)
	case s.ours():
		if res, err = f.checkSession(s, r, res); err != nil {
			return nil, err
		}
	}
	if s.op.Edit != nil && res.StatusCode == http.StatusOK && isJSON(res.Header) {
		return edit(res, s.op.Edit)
	}
	return res, nil
}

// checkSession compares the answer for a good token with what Postern knows of the session.
func (f reviewer) checkSession(s *stream, r *http.Request, res *http.Response) (*http.Response, error) {
	unknown, err := isUnknownToken(res)
	if err == nil && unknown {
		res, err = f.unknownToken(s, r, res)
	}
	if err != nil {
		return nil, err
	}
	if time.Since(s.begun) > f.longAfter {
		if ended := f.Login.Ended(s.client, s.token); ended != nil {
			return nil, f.refuse(s, res, ended)
		}
	}
	return res, nil
}

// refuse replaces an answer by the refusal of the client's token.
func (f reviewer) refuse(s *stream, res *http.Response, why error) error {
	res.Body.Close()
	f.Login.Refuse(s.answer, s.client, s.token, why)
	return errRefused
}

// unknownToken handles the refusal of a token that was good a moment ago. A client that gets it deletes its keys. If
// the token is still good, the homeserver does not know the device or the user, or has cached an older answer: a
// request that can be repeated is, and otherwise that is looked into before the client is told anything.
func (f reviewer) unknownToken(s *stream, r *http.Request, res *http.Response) (*http.Response, error) {
	pass, err := f.Login.Exchange(s.client, s.path, s.token)
	if err != nil {
		return nil, f.refuse(s, res, err)
	}
	res.Body.Close()
	if r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		again := r.Clone(r.Context())
		again.Header["Authorization"] = []string{"Bearer " + pass.Token}
		res, err := f.send(again)
		if err != nil {
			return nil, err
		}
		if unknown, err := isUnknownToken(res); err != nil || !unknown {
			return res, err
		}
		res.Body.Close()
	}
	f.Log.Warn("the homeserver does not know a session that is good", "path", s.op.Path)
	f.Login.Disowned(s.client, s.token)
	if ended := f.Login.Ended(s.client, s.token); ended != nil {
		return nil, f.refuse(s, res, ended)
	}
	tryAgain(s.answer, "The homeserver does not know this session yet. Try again.")
	return nil, errRefused
}

// isUnknownToken reports whether an answer is M_UNKNOWN_TOKEN, or what Synapse says of the token of a user whom it does
// not know: 500, "User not found". The answer can be read afterwards as before.
func isUnknownToken(res *http.Response) (bool, error) {
	noUser := res.StatusCode == http.StatusInternalServerError
	if res.StatusCode != http.StatusUnauthorized && !noUser || !isJSON(res.Header) {
		return false, nil
	}
	text, whole, err := peek(res)
	if err != nil || !whole {
		return false, err
	}
	var answer struct {
		Errcode string `json:"errcode"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return false, nil
	}
	return answer.Errcode == "M_UNKNOWN_TOKEN" && !noUser || answer.Error == "User not found" && noUser, nil
}

// edit changes the JSON object that an answer holds. Any other answer stays as it is.
func edit(res *http.Response, change func(map[string]json.RawMessage)) (*http.Response, error) {
	text, whole, err := peek(res)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if !whole || json.Unmarshal(text, &object) != nil || object == nil {
		return res, nil
	}
	change(object)
	if text, err = json.Marshal(object); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	res.ContentLength, res.TransferEncoding, res.Trailer = int64(len(text)), nil, nil
	res.Header.Set("Content-Length", strconv.Itoa(len(text)))
	res.Header.Del("ETag") // it was the other text's
	return res, nil
}

// maxPeek is the most that is read of an answer that is looked at.
const maxPeek = 1 << 20

// peek reads the body of an answer and puts it back. The text is not whole if it is as long as maxPeek. After an error
// the body is closed.
func peek(res *http.Response) (text []byte, whole bool, err error) {
	text, err = io.ReadAll(io.LimitReader(res.Body, maxPeek))
	if err != nil {
		res.Body.Close()
		return nil, false, err
	}
	rest := res.Body
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), rest), rest}
	return text, len(text) < maxPeek, nil
}

// isJSON reports whether the body of an answer can be parsed as JSON as it is: it is not compressed.
func isJSON(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/json") && h.Get("Content-Encoding") == ""
}
