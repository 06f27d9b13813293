package delegation

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The two marks; see the package's text.
const (
	takenOut = "# taken out by postern:"
	putIn    = " # put in by postern"
)

// edit is a change to one file, which is made of lines; and what the file is to mean after it.
type edit struct {
	file *file
	textLines

	gone  map[int]bool     // lines that become comments, counted from 0
	swaps map[int][]swap   // parts of lines
	added map[int][]string // lines that come after one
	last  []string         // lines at the end of the document

	want map[string]any
	why  error // the first thing that could not be done
}

// swap replaces a part of a line.
type swap struct {
	from, to int // bytes
	text     string
}

func newEdit(f *file) *edit {
	e := &edit{file: f, textLines: textOf(string(f.text)),
		gone: make(map[int]bool), swaps: make(map[int][]swap), added: make(map[int][]string)}
	e.want, _ = understand(f.root).(map[string]any)
	return e
}

// textLines is a text in lines, each with its ending: the last one too, which may have none in the file.
type textLines struct {
	lines   []string
	ends    string // the line ending that the file uses
	unended bool   // the last line has none
	end     int    // the line that ends the document, "...", or how many lines there are
}

func textOf(content string) textLines {
	t := textLines{lines: slices.Collect(strings.Lines(content)), ends: "\n"}
	t.end = len(t.lines)
	// YAML 1.1, section 4.3.2: nothing that belongs to the document stands so far left
	if at := slices.IndexFunc(t.lines, func(line string) bool {
		word, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		return word == "..."
	}); at >= 0 {
		t.end = at
	}
	if len(t.lines) == 0 {
		return t
	}
	if strings.HasSuffix(t.lines[0], "\r\n") {
		t.ends = "\r\n"
	}
	if last := &t.lines[len(t.lines)-1]; !strings.HasSuffix(*last, "\n") {
		t.unended = true
		*last += t.ends
	}
	return t
}

// join puts other lines together as the file has them.
func (t textLines) join(lines []string) string {
	content := strings.Join(lines, "")
	if t.unended {
		content = strings.TrimSuffix(content, t.ends)
	}
	return content
}

// refuse notes that a person has to do it.
func (e *edit) refuse(n *yaml.Node, what string) {
	if e.why == nil {
		e.why = fmt.Errorf("%s:%d: %s; change it by hand, and run this again", e.file.path, n.Line, what)
	}
}

// set writes another value in the place of a scalar.
func (e *edit) set(n *yaml.Node, text string) {
	from, to, ok := e.token(n)
	if !ok {
		e.refuse(n, fmt.Sprintf("the value here is not written in a way that %s can be put in its place", text))
		return
	}
	e.swaps[n.Line-1] = append(e.swaps[n.Line-1], swap{from, to, text})
}

// token finds the bytes of a scalar that is written on one line, without anchor or tag.
func (e *edit) token(n *yaml.Node) (from, to int, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Line < 1 || n.Line > len(e.lines) {
		return 0, 0, false
	}
	line := e.lines[n.Line-1]
	from = column(line, n.Column)
	rest := line[from:]
	var word string
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		word = "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
	case n.Style&yaml.DoubleQuotedStyle != 0:
		word = `"` + n.Value + `"`
	case n.Style == 0 && n.Value != "":
		word = n.Value
	}
	return from, from + len(word), word != "" && strings.HasPrefix(rest, word)
}

// column is where a column of the parser, which counts characters from 1, is in a line.
func column(line string, n int) int {
	at := 0
	for i := range line {
		if at++; at == n {
			return i
		}
	}
	return len(line)
}

// takeOut makes comments of a key and its value, which stand in block style on lines of their own.
func (e *edit) takeOut(parent, key *yaml.Node) {
	if parent.Style&yaml.FlowStyle != 0 || strings.TrimSpace(e.before(key)) != "" {
		e.refuse(key, key.Value+" does not stand on lines of its own")
		return
	}
	end := e.lastLine(parent, key)
	for i := key.Line - 1; i <= end; i++ {
		e.gone[i] = true
	}
}

// before is what stands before a node on its line.
func (e *edit) before(n *yaml.Node) string {
	line := e.lines[n.Line-1]
	return line[:column(line, n.Column)]
}

// lastLine is the last line of a key's value: before the next key, and before what says something about that.
func (e *edit) lastLine(parent, key *yaml.Node) int {
	end := e.endOf(parent)
	for next := range pairs(parent) {
		if next.Line > key.Line {
			end = min(end, next.Line-2)
		}
	}
	indent := key.Column - 1
	for ; end >= key.Line; end-- {
		text := strings.TrimLeft(e.lines[end], " \t")
		if trimmed := strings.TrimSpace(text); trimmed != "" &&
			(trimmed[0] != '#' || len(e.lines[end])-len(text) > indent) {
			break
		}
	}
	return end
}

// endOf is the last line that can belong to a block mapping: the next line that begins further left is not its.
func (e *edit) endOf(mapping *yaml.Node) int {
	for i := mapping.Line; i < e.end; i++ {
		text := strings.TrimLeft(e.lines[i], " ")
		if t := strings.TrimSpace(text); t != "" && t[0] != '#' && len(e.lines[i])-len(text) < mapping.Column-1 {
			return i - 1
		}
	}
	return e.end - 1
}

// after puts a line after the one of a node.
func (e *edit) after(n *yaml.Node, line string) {
	e.added[n.Line-1] = append(e.added[n.Line-1], line)
}

// result makes the new text, and makes sure that it says what it should.
func (e *edit) result() ([]byte, error) {
	if e.why != nil {
		return nil, e.why
	}
	var out []string
	for i, line := range e.lines {
		body, end := cutEnding(line)
		if i == e.end {
			out = append(out, e.atEnd()...)
		}
		switch {
		case e.gone[i]:
			out = append(out, takenOut+line)
		case len(e.swaps[i]) > 0:
			out = append(out, takenOut+line, swapped(body, e.swaps[i])+putIn+end)
		default:
			out = append(out, line)
		}
		for _, more := range e.added[i] {
			out = append(out, more+putIn+end)
		}
	}
	if e.end == len(e.lines) {
		out = append(out, e.atEnd()...)
	}
	return e.checked([]byte(e.join(out)))
}

// atEnd are the lines that come at the end of the document.
func (e *edit) atEnd() (lines []string) {
	for _, line := range e.last {
		lines = append(lines, line+putIn+e.ends)
	}
	return lines
}

func (e *edit) checked(text []byte) ([]byte, error) {
	root, err := parse(e.file.path, text)
	var is map[string]any
	if err == nil && root != nil {
		is, _ = understand(root).(map[string]any)
	}
	if err == nil && !(len(is) == 0 && len(e.want) == 0) && !reflect.DeepEqual(is, e.want) {
		err = errors.New("the settings would not become what they should")
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be changed safely, because of how it is written (an anchor, a key that "+
			"stands twice, a merge, or a value of an unusual form): "+
			"nothing was changed; make the change by hand: %w", e.file.path, err)
	}
	if back, _ := undo(text); string(back) != string(e.file.text) &&
		!bytes.Contains(e.file.text, []byte("by postern")) {
		// unreachable
		return nil, fmt.Errorf("%s cannot be changed so that the change could be taken back; nothing was changed",
			e.file.path)
	}
	return text, nil
}

func cutEnding(line string) (body, end string) {
	body = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	return body, line[len(body):]
}

func swapped(line string, all []swap) string {
	slices.SortFunc(all, func(a, b swap) int { return b.from - a.from })
	for _, s := range all {
		line = line[:s.from] + s.text + line[s.to:]
	}
	return line
}

// undo takes all changes back, and says whether there were any. Setup may have been run more than once, over its own
// lines too.
func undo(text []byte) (before []byte, changed bool) {
	for {
		again, more := undoOnce(string(text))
		if !more {
			return text, changed
		}
		text, changed = []byte(again), true
	}
}

func undoOnce(content string) (string, bool) {
	t := textOf(content)
	var out []string
	changed := false
	for _, line := range t.lines {
		body, end := cutEnding(line)
		switch original, taken := strings.CutPrefix(line, takenOut); {
		case taken:
			out, changed = append(out, original), true
		case strings.HasSuffix(body, strings.TrimSpace(putIn)):
			changed = true
		case strings.Contains(body, putIn): // somebody appended to a last line without an ending
			out, changed = append(out, body[strings.LastIndex(body, putIn)+len(putIn):]+end), true
		default:
			out = append(out, line)
		}
	}
	return t.join(out), changed
}
