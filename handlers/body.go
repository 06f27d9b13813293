package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/oapi-codegen/runtime"
)

// MaxBody bounds every request body. The largest honest one, a login with long names, is below 2 KiB.
const MaxBody = 64 << 10

// binder reads request bodies, in place of Echo's own, which trusts the Content-Type: a plain `curl -d` would
// reach the handler as an empty struct, and so would an empty body. Here a body is JSON whatever it claims to
// be, and it is held against the contract before it becomes a Go value.
//
// Bodies are read before the token is checked (the generated code has it so): the limits hold for strangers.
type binder struct{ contract *contract }

// Bind implements echo.Binder. It answers io.EOF for a body that is absent and may be: the generated code then
// hands the handler a nil body.
func (b binder) Bind(into any, c echo.Context) error {
	op, ok := b.contract.operations[route{c.Request().Method, c.Path()}]
	if !ok || op.body == nil {
		return errors.New("body of an operation that has none") // unreachable: generated from the same contract
	}
	raw, err := io.ReadAll(c.Request().Body) // bounded: see middleware.go
	if err != nil {
		return unreadable(err)
	}
	if len(bytes.TrimSpace(raw)) == 0 && !op.required {
		return io.EOF
	}
	return decode(raw, op, into)
}

// ReadBody reads the whole body of a request that is no operation, within the limit of those that are.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if wrapped, ok := w.(*echo.Response); ok {
		w = wrapped.Writer // net/http's own, which learns by that not to wait for the rest before it answers
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return nil, unreadable(err)
	}
	return raw, nil
}

// unreadable is a body that did not come whole.
func unreadable(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge()
	}
	return badRequest("M_NOT_JSON", "The body could not be read to its end.").because(err)
}

func decode(raw []byte, op operation, into any) error {
	// encoding/json replaces invalid UTF-8 silently, so a password could come to match another one.
	if !utf8.Valid(raw) {
		return badRequest("M_NOT_JSON", "The body is not valid UTF-8.")
	}
	value, err := parseJSON(raw)
	if err != nil {
		return badRequest("M_NOT_JSON", "The body is not JSON.").because(err)
	}
	if err := op.check(value); err != nil {
		return err
	}
	// The value that was checked is the one that is used: encoding/json would take `Device_ID` for `device_id`
	// as well, and nothing has checked that one.
	if err := runtime.BindJSONValue(value, into); err != nil {
		return badRequest("M_BAD_JSON", "The body does not fit the contract.").because(err)
	}
	return nil
}

// parseJSON gives the value of a text, without members that are null: some clients send those for what they leave out.
func parseJSON(raw []byte) (value any, err error) {
	if object, ok := flatObject(raw); ok {
		return object, nil
	}
	err = json.Unmarshal(raw, &value)
	if object, ok := value.(map[string]any); ok {
		maps.DeleteFunc(object, func(_ string, field any) bool { return field == nil })
	}
	return value, err
}
