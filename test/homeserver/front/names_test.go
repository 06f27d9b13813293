package front

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/test/rig/process"
)

const onPhone = "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)"

// window is a browser in which alice has signed in on the pages.
type window struct {
	*pair
	cookies []*http.Cookie
}

// send sends a request as a client with an agent of its own, or as the window.
func (w window) send(t *testing.T, path string, form url.Values) string {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.Server.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", onPhone)
	for _, c := range w.cookies {
		r.AddCookie(c)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode >= 400 {
		t.Fatalf("%s: %d %s", path, answer.StatusCode, text)
	}
	return string(text)
}

// press sends a page's form.
func (w window) press(t *testing.T, path, page string, fields ...string) string {
	t.Helper()
	form := process.Hidden(page)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return w.send(t, path, form)
}

// TestDeviceNames: whoever names a device, and by whatever API it logs in, Synapse and Postern call it the same.
func TestDeviceNames(t *testing.T) {
	t.Parallel()
	s := newPair(t, "--oauth", "on", "--public-url", "http://127.0.0.1:8448", "--expose-admin")
	s.Run(t, "", "user", "admin", "bob", "on")
	bob := s.login(t, "bob", "DESK")
	nobody := &person{pair: s}
	login := func(device, name string) *person {
		t.Helper()
		answer := nobody.ok(t, "POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.password",
			"user": "alice", "password": password, "device_id": device, "initial_device_display_name": name})
		return &person{pair: s, access: answer["access_token"].(string)}
	}
	alice := login("PHONE", "My phone")
	called := func(device, want string) {
		t.Helper()
		s.settled(t)
		there := bob.ok(t, "GET", "/_synapse/admin/v2/users/@alice:home.test/devices/"+device, nil)["display_name"]
		here := alice.ok(t, "GET", "/_matrix/client/v3/devices/"+device, nil)["display_name"]
		if name, _ := there.(string); name != want {
			t.Errorf("Synapse calls %s %v, want %q", device, there, want)
		}
		if name, _ := here.(string); name != want {
			t.Errorf("Postern calls %s %v, want %q", device, here, want)
		}
	}
	called("PHONE", "My phone")
	rename := func(name string) {
		t.Helper()
		alice.ok(t, "PUT", "/_matrix/client/v3/devices/PHONE", map[string]any{"display_name": name})
	}
	rename("By the app")
	called("PHONE", "By the app")
	rename(strings.Repeat("é", 150))
	called("PHONE", strings.Repeat("é", 100))
	login("LONG", strings.Repeat("x", 150))
	called("LONG", strings.Repeat("x", 100))

	app := process.NewClient(1)
	defer app.Close()
	client, err := app.RegisterOAuth(t.Context(), s.Server.URL)
	must(t, err)
	who := process.Consent{Client: client, Device: "OAUTHPHONE", User: "alice", Password: password}
	code, err := app.Authorize(t.Context(), s.Server.URL, who)
	must(t, err)
	w := window{pair: s}
	w.send(t, process.TokenPath, process.Redemption(client, code))
	called("OAUTHPHONE", "app.example.com on iOS")

	w.cookies, err = app.SignIn(t.Context(), s.Server.URL+"/account", who)
	must(t, err)
	const view = "/account?action=org.matrix.device_view&device_id="
	for _, device := range []string{"PHONE", "OAUTHPHONE"} {
		w.press(t, view+device, w.send(t, view+device, nil), "name", "On the page", "do", "rename")
		called(device, "On the page")
	}
	w.press(t, view+"LONG", w.send(t, view+"LONG", nil), "name", "", "do", "rename")
	called("LONG", "")

	// by a device that shows a code, as one that is linked by a QR code does
	who.Device = "TELEVISION"
	var asked struct{ Device_code, User_code string }
	must(t, json.Unmarshal([]byte(w.send(t, process.DevicePath, who.DeviceForm())), &asked))
	page := "/oauth2/device?code=" + asked.User_code
	consent := w.press(t, page, w.send(t, page, nil), "do", "continue")
	w.press(t, page, consent, "do", "allow")
	w.send(t, process.TokenPath, url.Values{"client_id": {client}, "device_code": {asked.Device_code},
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}})
	called("TELEVISION", "app.example.com on iOS")

	// a login on a device that is known keeps its name
	login("OAUTHPHONE", "Another")
	called("OAUTHPHONE", "On the page")
	who.Device = "PHONE"
	code, err = app.Authorize(t.Context(), s.Server.URL, who)
	must(t, err)
	token := w.send(t, process.TokenPath, process.Redemption(client, code))
	var pair process.Pair
	must(t, json.Unmarshal([]byte(token), &pair))
	alice = &person{pair: s, access: pair.Access}
	called("PHONE", "On the page")
}
