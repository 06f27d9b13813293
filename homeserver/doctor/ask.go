package doctor

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// client makes the few requests: short, without a proxy of the environment, and never beyond where they were sent.
// Those to Synapse need status, date and server, which package synapse does not return.
var client = http.Client{
	Timeout:       5 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is what came back; status 0: nothing.
type answer struct {
	status int
	code   string // the errcode of a Matrix error
	body   []byte
	date   time.Time
	server string // the header
}

// ask sends JSON or a form, whichever the body is.
func ask(ctx context.Context, method, url, secret, body string) answer {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		kind = "application/json"
	}
	request.Header.Set("Content-Type", kind)
	response, err := client.Do(request)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	a.body, _ = io.ReadAll(io.LimitReader(response.Body, 64<<10))
	a.server = response.Header.Get("Server")
	a.date, _ = http.ParseTime(response.Header.Get("Date"))
	var refusal struct{ Errcode string }
	_ = json.Unmarshal(a.body, &refusal)
	a.code = refusal.Errcode
	return a
}

// listens reports whether somebody listens at a TCP address.
func listens(address string) bool {
	connection, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}
