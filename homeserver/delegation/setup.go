package delegation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Options say what setup is to write.
type Options struct {
	Endpoint   string // where Synapse finds Postern
	SecretPath string // a file; empty: the one that is configured, or postern-secret beside the configuration

	Port         int  // where Synapse answers from then on; 0: where it does
	KeepListener bool // leave the listener alone

	Now time.Time
}

// Change is a file's new text.
type Change struct {
	Path          string
	Before, After []byte
}

// setupChanges makes the changes that let Postern have the accounts. They are none if all is done already.
func (c *Config) setupChanges(o Options) ([]Change, error) {
	// with and without a slash at the end mean the same to Synapse
	if d := c.Delegation(); d.Enabled && strings.TrimSuffix(d.Endpoint, "/") != strings.TrimSuffix(o.Endpoint, "/") {
		return nil, fmt.Errorf("%s:%d: Synapse leaves its accounts to %s already; if that is Postern, pass "+
			"--endpoint %s, and if not, move away from it first", d.File, d.Line, d.Endpoint, d.Endpoint)
	}
	if o.Port != 0 && c.Upstream() == nil {
		return nil, errors.New("no listener of Synapse can be moved to another port: none answers clients without " +
			"TLS; add one on 127.0.0.1")
	}
	edits := make(map[*file]*edit)
	of := func(f *file) *edit {
		if edits[f] == nil {
			edits[f] = newEdit(f)
		}
		return edits[f]
	}
	c.removeClashes(of)
	c.delegate(o, of)
	if !o.KeepListener {
		c.guardListener(o, of)
	}
	next, err := c.apply(edits)
	if err != nil {
		return nil, err
	}
	return changes(c, next), nil
}

// removeClashes edits the settings that clash. Taking one out uncovers that of an earlier file, and may bring another
// setting into force, so each is looked at as it is after the edits before it.
func (c *Config) removeClashes(of func(*file) *edit) {
	now := &Config{files: c.files, top: maps.Clone(c.top)}
	for _, s := range clashing {
		for now.hasClash(s) {
			e := now.top[s.key]
			if s.remove(of(e.file), e, now) {
				break
			}
			now.uncover(s.key, e.file)
		}
	}
}

// uncover takes a setting of a file out of those that count: now that of an earlier file counts, if there is one.
func (c *Config) uncover(key string, of *file) {
	delete(c.top, key)
	for _, f := range c.files[:slices.Index(c.files, of)] {
		if k := keyOf(f.root, key); k != nil {
			c.top[key] = entry{f, k, in(f.root, key)}
		}
	}
}

// remove takes a clash away with the smallest change that can be written safely. It reports whether the setting is
// still there, and harmless.
func (s setting) remove(e *edit, found entry, now *Config) (stays bool) {
	inside := found.value
	if s.off != "" {
		inside = in(found.value, s.off)
	}
	m := mapping(e.want[s.key])
	if inside != nil && !s.gone {
		if _, _, ok := e.token(inside); ok {
			e.set(inside, "false")
			if s.off == "" {
				e.want[s.key] = false
			} else {
				m[s.off] = false
			}
			return true
		}
		if s.off != "" && len(m) > 1 && found.value.Kind == yaml.MappingNode &&
			found.value.Style&yaml.FlowStyle == 0 {
			delete(m, s.off)
			e.takeOut(found.value, keyOf(found.value, s.off))
			if !s.clashes(m, now) {
				return true
			}
		}
	}
	delete(e.want, s.key)
	e.takeOut(e.file.root, found.key)
	return false
}

func keyOf(mapping *yaml.Node, name string) (found *yaml.Node) {
	for key := range pairs(mapping) {
		if key.Value == name {
			found = key
		}
	}
	return found
}

// delegate writes matrix_authentication_service into the first file, or anew where it is.
func (c *Config) delegate(o Options, of func(*file) *edit) {
	const key = "matrix_authentication_service"
	e, there := c.top[key]
	if d := c.Delegation(); d.Enabled && (d.SecretPath == o.SecretPath || d.Secret != "") {
		return
	}
	if !there {
		e.file = c.files[0]
	}
	edit := of(e.file)
	if there {
		edit.takeOut(e.file.root, e.key)
	}
	edit.last = []string{
		"# Since " + o.Now.UTC().Format(time.RFC3339) +
			" Postern has the accounts; `postern synapse restore` takes it back.",
		key + ":",
		"  enabled: true",
		"  endpoint: " + quoted(o.Endpoint),
		"  secret_path: " + quoted(o.SecretPath),
	}
	edit.want[key] = map[string]any{"enabled": true, "endpoint": o.Endpoint, "secret_path": o.SecretPath}
}

// quoted is a double-quoted scalar: Go's quotes and YAML's agree on what strconv writes for printable text.
func quoted(text string) string { return strconv.Quote(text) }

// apply gives the configuration after the edits.
func (c *Config) apply(edits map[*file]*edit) (*Config, error) {
	next := &Config{Ignored: c.Ignored}
	for _, f := range c.files {
		text := f.text
		if e := edits[f]; e != nil {
			var err error
			if text, err = e.result(); err != nil {
				return nil, err
			}
		}
		if err := next.add(f.path, text); err != nil {
			return nil, err
		}
	}
	next.merge()
	return next, nil
}

// changes lists the files that differ. The one that turns delegation on comes last: were the others not written,
// Synapse would start as before.
func changes(from, to *Config) (all []Change) {
	for i := len(from.files) - 1; i >= 0; i-- {
		if f := from.files[i]; string(f.text) != string(to.files[i].text) {
			all = append(all, Change{f.path, f.text, to.files[i].text})
		}
	}
	return all
}
