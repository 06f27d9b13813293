package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// Some requests are answered by the homeserver, and yet this server has a part in them: it does the stages that the
// homeserver leaves to it, or makes the login that the homeserver may not make. They are read, changed and sent on; all
// that is not changed stays byte for byte as it came, since it may be signed.

// Amendment answers a request by way of next, which takes the request it is given to whoever answers it otherwise.
type Amendment = func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Amendments are what this server does with requests before the homeserver has them, by method and path; one that ends
// in a slash is for whatever is one segment below. There are none without a homeserver.
func (s *Server) Amendments() map[string]Amendment {
	all := make(map[string]Amendment)
	if s.homeserver == nil {
		return all
	}
	for _, version := range []string{"v3", "r0", "unstable"} {
		all["POST /_matrix/client/"+version+"/"+signingKeysUpload] = s.amendment(s.uploadSigningKeys)
	}
	if s.services.Any() {
		all["POST "+registerOperation] = s.amendment(s.registerForService)
		all["DELETE "+devicesBelow] = s.amendment(s.deleteForService)
	}
	return all
}

// Through reports whether a request is the homeserver's to answer although this server has the operation: it asks for
// what needs a token, and brings an application service's own, which says nothing to us. What needs none, such as a
// login and the list of ways to log in, is answered here, whoever asks; but for a registration, which comes back from
// registerForService.
func (s *Server) Through(method, path, token string) bool {
	if !s.isService(token) {
		return false
	}
	segments := strings.Split(path, "/")
	for at, op := range s.contract.operations {
		if at.method == method && fits(strings.Split(at.path, "/"), segments) {
			return op.secured || op.id == "register"
		}
	}
	return true
}

// amendment answers errors like those of any operation.
func (s *Server) amendment(f func(echo.Context, http.Handler) error) Amendment {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		c := s.echo.NewContext(r, w)
		c.SetPath("amended") // what logs say; the path itself may hold anything
		if err := s.recovers(func(c echo.Context) error { return f(c, next) })(c); err != nil {
			s.refuseFor(c, err)
		}
	}
}

// bodyOf reads the whole body of a request, which is a JSON object.
func bodyOf(c echo.Context) (object, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, c.Request().Body, maxBody))
	if err != nil {
		return object{}, unreadable(err)
	}
	if !utf8.Valid(raw) {
		return object{raw: raw}, badRequest("M_NOT_JSON", "The body is not valid UTF-8.")
	}
	return parseObject(raw)
}

// sent is a request that asks the homeserver with another body.
func sent(ctx context.Context, r *http.Request, body []byte) *http.Request {
	r = r.Clone(ctx)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return r
}

// object is a JSON object whose members can be taken out and put in without touching the others.
type object struct {
	raw     []byte
	members []member
}

// member is one member of an object, as it was written.
type member struct {
	name        string
	text, value []byte
}

var errNoObject = errors.New("the body is not a JSON object")

// parseObject finds the members of an object.
func parseObject(raw []byte) (object, error) {
	o := object{raw: raw}
	refused := func(err error) (object, error) {
		if json.Valid(raw) {
			return o, badRequest("M_BAD_JSON", "The body must be a JSON object.").because(err)
		}
		return o, badRequest("M_NOT_JSON", "The body is not JSON.").because(err)
	}
	if !json.Valid(raw) {
		return refused(errNoObject)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return refused(errNoObject)
	}
	for d.More() {
		start := int(d.InputOffset())
		name, err := d.Token()
		if err != nil {
			return refused(err) // unreachable: it is valid
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return refused(err) // unreachable: it is valid
		}
		text := bytes.TrimLeft(raw[start:d.InputOffset()], ", \t\r\n")
		o.members = append(o.members, member{name: name.(string), text: text, value: value})
	}
	return o, nil
}

// get gives a member's value, or nil. Of several of one name the last counts, as in most parsers.
func (o object) get(name string) (value json.RawMessage) {
	for _, m := range o.members {
		if m.name == name {
			value = m.value
		}
	}
	if string(value) == "null" {
		return nil
	}
	return value
}

// without gives the text of the object without the members of a name, and with others at its end.
func (o object) without(name string, more ...string) []byte {
	var texts [][]byte
	for _, m := range o.members {
		if m.name != name {
			texts = append(texts, m.text)
		}
	}
	for _, text := range more {
		texts = append(texts, []byte(text))
	}
	return append(append([]byte("{"), bytes.Join(texts, []byte(","))...), '}')
}
