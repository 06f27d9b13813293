package appservice

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most bytes of a registration file, far more than any has.
const maxFile = 1 << 20

// Read reads the registration files of a homeserver's application services. It returns either the services or all
// problems of all files.
func Read(serverName string, files []string) (*Services, []error) {
	s := &Services{}
	var problems []error
	for _, file := range files {
		service, wrong := readFile(serverName, file)
		problems = append(problems, wrong...)
		if len(wrong) == 0 {
			problems = append(problems, s.clashes(service)...)
			s.all = append(s.all, service)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

func readFile(serverName, name string) (*Service, []error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, []error{err}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, []error{err}
	case len(text) > maxFile:
		return nil, []error{fmt.Errorf(
			"%s is larger than a registration file can be; name the file that Synapse has in app_service_config_files",
			name)}
	}
	return Parse(serverName, name, text)
}

// clashes are the problems of a service that has the id, the token or the sender of one that was read before.
func (s *Services) clashes(service *Service) (problems []error) {
	note := func(field string, other *Service, what string) {
		problems = append(problems, fmt.Errorf("%s:%d: %s of %s too; each service has its own", service.file,
			service.lines[field], what, other.file))
	}
	for _, other := range s.all {
		if service.ID == other.ID {
			note("id", other, fmt.Sprintf("the id %q is that", service.ID))
		}
		if subtle.ConstantTimeCompare(service.token[:], other.token[:]) == 1 {
			note("as_token", other, "the as_token is that")
		}
		if service.Sender == other.Sender {
			note("sender_localpart", other, fmt.Sprintf("the sender %s is that", service.Sender))
		}
	}
	return problems
}

// plainLocalpart matches a localpart that needs no escapes in a URL.
var plainLocalpart = regexp.MustCompile(`^[A-Za-z0-9_.~/-]+$`)

// Parse reads one registration file. The name is for the problems.
func Parse(serverName, name string, text []byte) (*Service, []error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, []error{fmt.Errorf("%s: %w", name, err)}
	}
	r := &reader{file: name, fields: fieldsOf(&document), lines: make(map[string]int)}
	if r.fields == nil {
		return nil, []error{fmt.Errorf("%s:%d: a registration file has fields, such as id and as_token", name,
			max(document.Line, 1))}
	}
	service := &Service{ID: r.text("id"), token: sha256.Sum256([]byte(r.text("as_token"))), file: name, lines: r.lines}
	r.text("hs_token")
	sender := r.text("sender_localpart")
	if sender != "" && !plainLocalpart.MatchString(sender) {
		r.wrong(r.fields["sender_localpart"], "sender_localpart may hold A-Z, a-z, 0-9 and . _ ~ / - only")
	}
	service.Sender = "@" + sender + ":" + serverName
	r.checkURL()
	service.RateLimited = true
	if field := r.fields["rate_limited"]; field != nil && field.Decode(&service.RateLimited) != nil {
		service.RateLimited = true // as Synapse takes anything else
	}
	service.users = r.namespaces()
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return service, nil
}
