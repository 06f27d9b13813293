package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/gen"
	"postern/handlers"
)

// TestVersionsAgree: in every setting, what GET /versions, GET /login and the metadata say is there is there, and what
// is there is said.
func TestVersionsAgree(t *testing.T) {
	t.Parallel()
	const hostVersions = `{"versions":["v1.11","v1.12"],"unstable_features":{"org.matrix.msc4140":true}}`
	homeserver := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/_matrix/client/versions" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"errcode":"M_UNRECOGNIZED","error":"not the homeserver's"}`)
			return
		}
		_, _ = io.WriteString(w, hostVersions)
	}
	for _, oauth := range []string{"on", "off"} {
		for _, registration := range []string{"closed", "token", "open", "approval"} {
			for _, behind := range []bool{false, true} {
				t.Run(strings.Join([]string{oauth, registration, map[bool]string{true: "in front"}[behind]}, " "),
					func(t *testing.T) {
						t.Parallel()
						flags := []string{"--public-url", "https://example.org", "--oauth", oauth, "--registration",
							registration}
						i := newInstallation(t)
						start := func() *server { return i.serve(flags...) }
						if behind {
							start = func() *server { return i.behind(homeserver, flags...) }
						}
						told := start().tells(oauth == "on", registration)
						if behind {
							if strings.Join(told.Versions, " ") != "v1.11 v1.12" ||
								!told.Features["org.matrix.msc4140"] {
								t.Errorf("the homeserver's own is gone: %+v", told)
							}
						} else if !slices.Contains(told.Versions, "v1.18") {
							t.Errorf("clients look for none of 1.18: %v", told.Versions)
						}
					})
			}
		}
	}
}

// announced is what a server says of itself before anybody has logged in.
type announced struct {
	Versions []string        `json:"versions"`
	Features map[string]bool `json:"unstable_features"`
}

// tells looks at all that a server announces, holds it against what it does, and gives the answer to GET /versions.
func (s *server) tells(oauth bool, registration string) (told announced) {
	s.Helper()
	_, answer := s.ask("GET", "/_matrix/client/versions", "", "")
	text, _ := json.Marshal(answer) // it was JSON
	s.need(json.Unmarshal(text, &told))

	var metadata map[string]any
	for _, path := range []string{"v1/auth_metadata", "unstable/org.matrix.msc2965/auth_metadata"} {
		var status int // the second is for clients that find no v1.15
		if status, metadata = s.ask("GET", "/_matrix/client/"+path, "", ""); status == 200 != oauth {
			s.Fatalf("%s are %d %v", path, status, metadata)
		}
	}
	_, answer = s.ask("GET", "/_matrix/client/v3/login", "", "")
	flows, _ := json.Marshal(answer)
	if strings.Contains(string(flows), `"m.login.sso"`) != oauth ||
		strings.Contains(string(flows), `"oauth_aware_preferred":true`) != oauth ||
		!strings.Contains(string(flows), `"m.login.password"`) {
		s.Errorf("the flows are %s", flows)
	}
	s.serves("GET /_matrix/client/v3/login/sso/redirect?redirectUrl=https%3A%2F%2Fapp.example.com", oauth)
	s.serves("GET /oauth2/authorize", oauth)
	for draft, path := range map[string]string{
		"org.matrix.msc4108": "POST /_matrix/client/unstable/org.matrix.msc4108/rendezvous",
		"io.element.msc4388": "POST /_matrix/client/unstable/io.element.msc4388/rendezvous",
	} {
		s.serves(path, told.Features[draft])
	}
	if oauth {
		s.agrees(metadata, registration)
	}
	return told
}

// agrees holds the metadata against what the server does.
func (s *server) agrees(metadata map[string]any, registration string) {
	s.Helper()
	for field, method := range map[string]string{"authorization_endpoint": "GET", "token_endpoint": "POST",
		"revocation_endpoint": "POST", "registration_endpoint": "POST", "device_authorization_endpoint": "POST",
		"account_management_uri": "GET"} {
		if at, is := metadata[field].(string); is {
			s.serves(method+" "+strings.TrimPrefix(at, "https://example.org"), true)
		} else {
			s.Errorf("there is no %s", field)
		}
	}
	for _, grant := range metadata["grant_types_supported"].([]any) {
		answer := s.form("/oauth2/token", "grant_type="+grant.(string)+"&client_id=x&code=x&refresh_token=x"+
			"&device_code=x&redirect_uri=https%3A%2F%2Fapp.example.com&code_verifier="+strings.Repeat("x", 43))
		if !strings.Contains(answer, "invalid_grant") {
			s.Errorf("%s is not taken: %s", grant, answer)
		}
	}
	if answer := s.form("/oauth2/token", "grant_type=password"); !strings.Contains(answer, "unsupported_grant_type") {
		s.Errorf("another grant answers %s", answer)
	}
	prompts, _ := metadata["prompt_values_supported"].([]any)
	if slices.Contains(prompts, any("create")) == (registration == "closed") {
		s.Errorf("with --registration %s the prompts are %v", registration, prompts)
	}
}

// form sends one and gives the answer's body.
func (s *server) form(path, body string) string {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), "POST", s.url+path, strings.NewReader(body))
	s.need(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	s.need(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.need(err)
	return string(text)
}

// serves holds whether there is anything at a path.
func (s *server) serves(request string, want bool) {
	s.Helper()
	method, path, _ := strings.Cut(request, " ")
	answer := s.raw(method, path)
	if is := !strings.Contains(answer, "M_UNRECOGNIZED"); is != want {
		s.Errorf("%s is served: %t\n%s", request, is, answer)
	}
}

// TestElementPage: the page names every endpoint of the OAuth 2.0 API and every page, and only flags and commands that
// there are.
func TestElementPage(t *testing.T) {
	t.Parallel()
	page := text(t, "docs/element.md")
	spec, err := gen.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	paths := slices.Clone(handlers.PagePaths)
	for path, item := range spec.Paths.Map() {
		for _, operation := range item.Operations() {
			if slices.Contains(operation.Tags, "oauth") {
				before, _, _ := strings.Cut(path, "/{")
				paths = append(paths, before)
			}
		}
	}
	for _, path := range paths {
		unstable := strings.TrimPrefix(path, "/_matrix/client/")
		if path != handlers.SSOPath && !strings.Contains(page, path) && !strings.Contains(page, "`"+unstable) {
			t.Errorf("the page does not name %s", path)
		}
	}
	i := newInstallation(t)
	serve := i.must("", "serve", "--help")
	for _, flag := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(page, -1) {
		if !strings.Contains(serve, flag) && flag != "--waiting" {
			t.Errorf("there is no %s", flag)
		}
	}
	commands := regexp.MustCompile("`(postern )?(user|invite|client|synapse) ([a-z]+)")
	for _, command := range commands.FindAllStringSubmatch(page, -1) {
		i.must("", command[2], command[3], "--help")
	}
}
