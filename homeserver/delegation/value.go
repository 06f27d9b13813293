package delegation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Synapse reads YAML 1.1 with Python's library, whose scalars are not those of YAML 1.2: yes, on and 010 are no
// strings.

var (
	wholeNumber = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*|0[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$`)
	fraction    = regexp.MustCompile(`^[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$`)
)

// most bounds what aliases may unfold to: a configuration has a few thousand values.
const most = 100_000

// understand gives the value of a node as Python would have it: nil, bool, int64, float64, string, []any or
// map[string]any.
func understand(n *yaml.Node) any {
	left := most
	return unfold(n, &left)
}

func unfold(n *yaml.Node, left *int) any {
	if *left--; *left < 0 {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return unfold(n.Alias, left)
	case yaml.SequenceNode:
		all := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			all = append(all, unfold(item, left))
		}
		return all
	case yaml.MappingNode:
		return unfoldMapping(n, left)
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil
}

func unfoldMapping(n *yaml.Node, left *int) map[string]any {
	all := make(map[string]any)
	for key, value := range pairs(n) { // merged keys first: the mapping's own win, wherever they stand
		if key.Value != "<<" || key.Style != 0 && key.Style != yaml.TaggedStyle {
			continue
		}
		merged := unfold(value, left)
		list, ok := merged.([]any)
		if !ok {
			list = []any{merged}
		}
		for i := len(list) - 1; i >= 0; i-- {
			from, _ := list[i].(map[string]any)
			for k, v := range from {
				all[k] = v
			}
		}
	}
	for key, value := range pairs(n) {
		if key.Value != "<<" {
			all[key.Value] = unfold(value, left)
		}
	}
	return all
}

func scalar(n *yaml.Node) any {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 ||
		n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str" {
		return n.Value
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	}
	digits := strings.ReplaceAll(n.Value, "_", "")
	if wholeNumber.MatchString(n.Value) {
		if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
			return i
		}
	}
	if fraction.MatchString(n.Value) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return f
		}
	}
	return n.Value
}

// truthy is Python's bool().
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true // unreachable
}

// strtobool is Synapse's strtobool(str()), for the settings that go through it.
func strtobool(v any) bool {
	switch strings.ToLower(fmt.Sprint(v)) {
	case "y", "yes", "t", "true", "on", "1":
		return true
	}
	return false
}

// list and mapping are what a value is if it is that.
func list(v any) []any             { l, _ := v.([]any); return l }
func mapping(v any) map[string]any { m, _ := v.(map[string]any); return m }

// withDefault is a key of a mapping, or what Synapse takes if it is not there.
func withDefault(m map[string]any, key string, otherwise any) any {
	if v, ok := m[key]; ok {
		return v
	}
	return otherwise
}
