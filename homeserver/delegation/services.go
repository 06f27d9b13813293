package delegation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Service is an application service that Synapse has: a bridge, mostly.
type Service struct {
	File  string // its registration
	ID    string
	Token string // its as_token: a secret
}

// Services reads the registrations of app_service_config_files. The error tells which could not be read.
func (c *Config) Services() (all []Service, err error) {
	for _, name := range list(c.value("app_service_config_files")) {
		s := Service{File: fmt.Sprint(name)}
		if !filepath.IsAbs(s.File) {
			err = errors.Join(err, fmt.Errorf("%s is not a whole path, and where Synapse runs is not known", s.File))
			continue
		}
		text, problem := os.ReadFile(s.File)
		if problem == nil {
			s.ID, s.Token, problem = registration(s.File, text)
		}
		if err = errors.Join(err, problem); problem == nil {
			all = append(all, s)
		}
	}
	return all, err
}

func registration(path string, text []byte) (id, token string, err error) {
	root, err := parse(path, text)
	if err != nil {
		return "", "", err
	}
	if root == nil {
		return "", "", fmt.Errorf("%s holds no registration", path)
	}
	fields := mapping(understand(root))
	return fmt.Sprint(fields["id"]), fmt.Sprint(fields["as_token"]), nil
}
