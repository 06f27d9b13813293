package delegation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Original is the configuration without what setup did to it.
func (c *Config) Original() (*Config, error) {
	before := &Config{Ignored: c.Ignored}
	for _, f := range c.files {
		text, _ := undo(f.text)
		if err := before.add(f.path, text); err != nil {
			return nil, err
		}
	}
	before.merge()
	return before, nil
}

// Restore makes the changes that let Synapse have the accounts again; none if setup has changed nothing, or all is
// taken back already.
func (c *Config) Restore() ([]Change, error) {
	before, err := c.Original()
	if err != nil {
		return nil, err
	}
	if d, now := before.Delegation(), c.Delegation(); d.Enabled && d.Endpoint == now.Endpoint &&
		d.SecretPath == now.SecretPath {
		return nil, fmt.Errorf("%s:%d: matrix_authentication_service stays on, since setup has not put it in, or the "+
			"marks behind its lines are gone; "+
			"take it out by hand, or put the copy back that setup kept", d.File, d.Line)
	}
	return changes(c, before), nil
}

// AsCopied reports whether the file becomes, byte for byte, what one of setup's copies holds: whether nobody else
// changed it since.
func (c Change) AsCopied() bool {
	return slices.ContainsFunc(copies(c.Path), func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && string(text) == string(c.After)
	})
}

// copies lists the copies that were kept of a file.
func copies(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+kept) {
			names = append(names, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return names
}

var sinceLine = regexp.MustCompile(`# Since (\S+) Postern has the accounts`)

// Since is when setup was run, as the file says; zero if it does not.
func (c *Config) Since() time.Time {
	for _, f := range c.files {
		if found := sinceLine.FindSubmatch(f.text); found != nil {
			if t, err := time.Parse(time.RFC3339, string(found[1])); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
