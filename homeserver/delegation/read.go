package delegation

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Config is a Synapse's configuration, in as many files as it has.
type Config struct {
	Ignored []string // files that Synapse does not read either, each with the reason

	files []*file
	top   map[string]entry
}

// file is one of them.
type file struct {
	path string
	text []byte
	root *yaml.Node // a mapping
}

// entry is a top-level key that counts.
type entry struct {
	file       *file
	key, value *yaml.Node
}

// Read reads configuration files, and folders of them, in the order in which Synapse is given them.
func Read(paths []string) (*Config, error) {
	c := &Config{}
	for _, path := range paths {
		names, err := c.expand(path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("%w; run this as a user who may read Synapse's configuration", err)
			}
			if err := c.add(name, text); err != nil {
				return nil, err
			}
		}
	}
	if c.merge(); len(c.top) == 0 {
		return nil, errors.New("there are no settings in these files; name Synapse's homeserver.yaml, and after it " +
			"the folder conf.d if there is one")
	}
	return c, nil
}

// expand lists the files of a folder. Links are followed here, so that a change does not put a file in a link's place.
func (c *Config) expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		real, err := filepath.EvalSymlinks(path)
		return []string{real}, err
	}
	entries, err := os.ReadDir(path) // sorted, by bytes, as Python sorts
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if ours(e.Name()) {
			continue
		}
		if info, err := os.Stat(name); err != nil || info.IsDir() || filepath.Ext(name) != ".yaml" {
			c.Ignored = append(c.Ignored, name+": is not a file that ends in .yaml")
			continue
		}
		real, err := filepath.EvalSymlinks(name)
		if err != nil {
			return nil, err
		}
		names = append(names, real)
	}
	return names, nil
}

func (c *Config) add(path string, text []byte) error {
	root, err := parse(path, text)
	if err != nil {
		return err
	}
	if root == nil { // which Synapse passes over
		c.Ignored = append(c.Ignored, path+": holds no settings")
		root = &yaml.Node{Kind: yaml.MappingNode}
	}
	if n := keyOf(root, "<<"); n != nil {
		return fmt.Errorf("%s:%d: there is a merge (<<) at the top of the file, which is not understood here; write "+
			"its settings out, and run this again", path, n.Line)
	}
	c.files = append(c.files, &file{path: path, text: text, root: root})
	return nil
}

// parse gives a file's top mapping, or nil if it is something else.
func parse(path string, text []byte) (*yaml.Node, error) {
	var documents []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for len(documents) < 2 {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			if !strings.Contains(err.Error(), "EOF") {
				return nil, fmt.Errorf("%s cannot be read: %w", path, err)
			}
			break
		}
		documents = append(documents, &node)
	}
	switch {
	case len(documents) > 1:
		return nil, fmt.Errorf("%s holds more than one YAML document, which Synapse refuses", path)
	case len(documents) == 0 || len(documents[0].Content) == 0 || documents[0].Content[0].Kind != yaml.MappingNode:
		return nil, nil
	}
	return documents[0].Content[0], nil
}

// merge finds which entries count.
func (c *Config) merge() {
	c.top = make(map[string]entry)
	for _, f := range c.files {
		for key, value := range pairs(f.root) {
			c.top[key.Value] = entry{f, key, value}
		}
	}
}

// pairs walks through a mapping.
func pairs(mapping *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for pair := range slices.Chunk(mapping.Content, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

// in finds a key of a mapping; the last one counts, as Python has it.
func in(mapping *yaml.Node, name string) (found *yaml.Node) {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for key, value := range pairs(mapping) {
		if key.Value == name {
			found = value
		}
	}
	return found
}

// value is what stands at a path of keys, understood; nil if there is nothing.
func (c *Config) value(key string, more ...string) any {
	e, ok := c.top[key]
	if !ok {
		return nil
	}
	v := understand(e.value)
	for _, name := range more {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// text is value for a string; empty if it is none.
func (c *Config) text(key string, more ...string) string {
	s, _ := c.value(key, more...).(string)
	return s
}

// has reports whether a top-level setting is there and is true to Python.
func (c *Config) has(key string) bool { return truthy(c.value(key)) }

// ServerName is the homeserver's name.
func (c *Config) ServerName() string { return c.text("server_name") }

// PublicURL is where clients find the homeserver, as far as the configuration says it.
func (c *Config) PublicURL() string { return c.text("public_baseurl") }

// Pepper is what Synapse adds to passwords before it hashes them: a secret.
func (c *Config) Pepper() string { return c.text("password_config", "pepper") }

// Paths lists the files that were read.
func (c *Config) Paths() (paths []string) {
	for _, f := range c.files {
		paths = append(paths, f.path)
	}
	return paths
}

// Delegation is what matrix_authentication_service says.
type Delegation struct {
	Enabled            bool
	Endpoint           string
	SecretPath, Secret string
	File               string
	Line               int
}

// Delegation reads matrix_authentication_service.
func (c *Config) Delegation() Delegation {
	e, there := c.top["matrix_authentication_service"]
	if !there {
		return Delegation{}
	}
	m := mapping(understand(e.value))
	d := Delegation{Enabled: m["enabled"] == true, File: e.file.path, Line: e.key.Line}
	d.Endpoint, _ = m["endpoint"].(string)
	d.SecretPath, _ = m["secret_path"].(string)
	d.Secret, _ = m["secret"].(string)
	if d.Endpoint == "" {
		d.Endpoint = "http://localhost:8080/" // Synapse's default
	}
	return d
}
