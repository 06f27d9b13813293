package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

const hostileHead = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"

// within runs what must end soon and without much memory. The bounds are generous: what they are to tell from good is
// many minutes and gigabytes, and the race detector on a busy machine makes a few seconds half a minute.
func within(t *testing.T, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	most := uint64(0)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	end := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if most > 512<<20 {
				t.Errorf("it took %d MB", most>>20)
			}
			return err
		case <-tick.C:
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
		case <-end:
			t.Fatal("it does not end")
		}
	}
}

// refused asks that loading ends in a problem that says something.
func refused(t *testing.T, fsys fs.FS, says string, files ...string) {
	t.Helper()
	err := within(t, func() error { _, err := Load(fsys, files...); return err })
	var problems Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), says) {
		text := fmt.Sprint(err)
		t.Errorf("the error is %.300s; want one that says %q", text, says)
	}
	runtime.GC()
}

// TestHostile: specs that are made to harm end in a clear error, soon.
func TestHostile(t *testing.T) {
	operations := func(n int) string {
		var s strings.Builder
		s.WriteString(hostileHead + "paths:\n")
		for i := range n {
			fmt.Fprintf(&s, "  /a%d: {get: {}}\n", i)
		}
		return s.String()
	}
	bomb := func(levels, width int, first string) string {
		var s strings.Builder
		s.WriteString(hostileHead + "x-0: &x0 " + first + "\n")
		for i := range levels {
			fmt.Fprintf(&s, "x-%d: &x%d [%s]\n", i+1, i+1,
				strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), width), ", "))
		}
		return s.String()
	}
	references := func(levels int) string {
		var s strings.Builder
		s.WriteString(hostileHead + "components:\n  schemas:\n")
		for i := range levels {
			fmt.Fprintf(&s, "    A%d: {type: object, properties: {a: {$ref: '#/components/schemas/A%d'}, b: {$ref: '#/components/schemas/A%d'}}}\n", i, i+1, i+1)
		}
		fmt.Fprintf(&s, "    A%d: {type: string}\n", levels)
		return s.String()
	}
	written := func(levels int) string { // path items and properties have no components: they are written out
		var s strings.Builder
		s.WriteString(hostileHead + "components: {schemas: {A: {type: object, properties: {$ref: '#/x-0'}}}}\n")
		for i := range levels {
			fmt.Fprintf(&s, "x-%d: {a: {properties: {$ref: '#/x-%d'}}, b: {properties: {$ref: '#/x-%d'}}}\n", i, i+1,
				i+1)
		}
		fmt.Fprintf(&s, "x-%d: {a: {type: string}}\n", levels)
		return s.String()
	}
	nested := func(n int) string {
		return hostileHead + "components: {schemas: {A: " + strings.Repeat("{items: ", n) + "{}" + strings.Repeat("}",
			n) + "}}\n"
	}
	for _, test := range []struct{ name, spec, says string }{
		{"100,000 operations", operations(100_000), "more than 5000 keys"},
		{"9,000 operations", strings.ReplaceAll(operations(4500), "{get: {}}", "{get: {}, put: {}}"), "more than 5000 operations"},
		{"50 MB", hostileHead + "x-a: " + strings.Repeat("a", 50<<20) + "\n", "larger than 8 MB"},
		{"4 MB of brackets", strings.Repeat("[", 4<<20-10), "spec.yaml:1"},
		{"4 MB of braces", strings.Repeat("{a: ", 1<<20-10), "spec.yaml:1"},
		{"4 MB of dashes", strings.Repeat("- ", 2<<20-10), "spec.yaml:1"},
		{"4 MB of values", hostileHead + "x-a: [" + strings.Repeat("1,", 2<<20-100) + "]\n", "more than 150000 values"},
		{"nested deeply", nested(10_000), "spec.yaml"},
		{"nested rather deeply", nested(900), "levels deep"},
		{"indented deeply", hostileHead + "x-a:\n" + deepIndent(2000), "levels deep"},
		{"aliases", bomb(30, 10, "[a, b, c]"), "spec.yaml"},
		{"few aliases", bomb(12, 5, "[a, b, c]"), "spec.yaml"},
		{"aliases of a long text", hostileHead + "x-0: &x0 " + strings.Repeat("a", 1<<20) + "\nx-1: [" +
			many(400, "*x0") + "]\n", "MB of text, aliases"},
		{"aliases of a long key", hostileHead + "x-0: &x0 {" + strings.Repeat("a", 1000) + ": 1}\nx-1: [" +
			many(70_000, "*x0") + "]\n", "MB of text, aliases"},
		{"references to a long text", hostileHead + "components: {examples: {e: {value: " +
			strings.Repeat("a", 1<<20) + "}}, schemas: {A: {example: [" +
			many(400, "{$ref: '#/components/examples/e'}") + "]}}}\n", "MB of text"},
		{"merges", hostileHead + "x-0: &x0 {a: b}\n" + merges(40), "spec.yaml"},
		{"references to references", references(60), "written out"},
		{"a chain of 4,000 schemas", chain(4000), "more than 2000 components"},
		{"mappings written out", written(30), "spec.yaml"},
		{"50,000 properties", hostileSchemas("A: {type: object, properties: {" + many(50_000, "a%d: {}") + "}}"), "more than 5000 keys"},
		{"20,000 members", hostileSchemas("A: {allOf: [" + many(20_000, "{type: object}") + "]}"), "more than 1000 schemas"},
		{"20,000 parameters", hostileHead + "paths: {/a: {get: {parameters: [" + many(20_000, "{in: query, name: a%d}") + "]}}}\n", "more than 1000 parameters"},
		{"20,000 parameters in a path", hostileHead + "paths: {'/" + many(20_000, "{a%d}") + "': {get: {}}}\n", "more than 2000 characters"},
		{"all schemas in one another", allInAll(150), "would hold more"},
		{"references in a circle", hostileHead + "components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}\n", "leads only to itself"},
		{"a reference through itself", hostileHead + "components: {schemas: {A: {$ref: '#/components/schemas/A/properties/x'}}}\n", "spec.yaml"},
		{"properties that are themselves", hostileHead + "components: {schemas: {A: {type: object, properties: {$ref: '#/components/schemas/A/properties'}}}}\n", "itself"},
		{"an example in itself", hostileHead + "components: {schemas: {A: {example: {a: {$ref: '#/components/schemas/A/example'}}}}}\n", "itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused(t, fstest.MapFS{"spec.yaml": {Data: []byte(test.spec)}}, test.says, "spec.yaml")
		})
	}
}

func allInAll(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("A%d: {type: object, properties: {l: {oneOf: [%s]}}}", i,
			many(n, "{$ref: '#/components/schemas/A%d'}"))
	}
	return hostileSchemas(strings.Join(list, ", "))
}

func deepIndent(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return s.String()
}

func merges(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "x-%d: &x%d {<<: [*x%d, *x%d], k%d: [*x%d, *x%d]}\n", i+1, i+1, i, i, i, i, i)
	}
	return s.String()
}

func chain(n int) string {
	var s strings.Builder
	s.WriteString(hostileHead + "components:\n  schemas:\n")
	for i := range n {
		fmt.Fprintf(&s, "    A%d: {type: object, properties: {n: {$ref: '#/components/schemas/A%d'}}}\n", i, (i+1)%n)
	}
	return s.String()
}

// many writes one thing many times, with its number in place of %d.
func many(n int, item string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.ReplaceAll(item, "%d", fmt.Sprint(i))
	}
	return strings.Join(list, ", ")
}

func hostileSchemas(text string) string {
	return hostileHead + "components: {schemas: {" + text + "}}\n"
}

// TestLargest: the largest specs that the limits let through are still read soon.
func TestLargest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds for each")
	}
	var operations strings.Builder
	operations.WriteString(hostileHead + "paths:\n")
	for i := range maxOperations {
		fmt.Fprintf(&operations, "  /a%d/{x}: {get: {responses: {200: {description: ok}}}}\n", i)
	}
	values := hostileHead + "components: {schemas: {A: {example: [" + strings.Repeat("{a: b},", maxNodes/2-100) +
		"]}}}\n"
	for name, text := range map[string]string{
		"operations": operations.String(), "chain": chain(maxComponents), "values": values,
		"enum":     hostileSchemas("A: {type: string, enum: [" + many(100_000, "a%d") + "]}"),
		"required": hostileSchemas("A: {type: object, required: [" + many(100_000, "a%d") + "]}"),
		"union": hostileSchemas("B: {type: string}, A: {oneOf: [" + many(1000, "{$ref: '#/components/schemas/B'}") +
			"]}"),
	} {
		t.Run(name, func(t *testing.T) {
			err := within(t, func() error {
				a, err := Load(folder(text), "spec.yaml")
				if err == nil {
					_, err = a.YAML()
				}
				return err
			})
			if err != nil {
				t.Errorf("%.300s", err)
			}
		})
	}
}

// TestAlikeButForTheEnd: two files with a long chain of schemas of the same names, which differ in the last alone.
func TestAlikeButForTheEnd(t *testing.T) {
	one := chain(900)
	two := strings.Replace(one, "A899: {type: object,", "A899: {type: object, title: other,", 1)
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(one)}, "b.yaml": {Data: []byte(two)}}
	var a *API
	if err := within(t, func() (err error) { a, err = Load(fsys, "a.yaml", "b.yaml"); return err }); err != nil {
		t.Fatal(err)
	}
	if n := len(a.Doc.Components.Schemas); n != 1800 {
		t.Errorf("%d schemas, want all 1800: each leads to the one that differs", n)
	}
}

// TestManyFiles: of thousands of files not all are read.
func TestManyFiles(t *testing.T) {
	fsys := fstest.MapFS{}
	var list strings.Builder
	list.WriteString(hostileHead + "components:\n  schemas:\n")
	for i := range 4000 {
		fsys[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: []byte("type: string\n")}
		fmt.Fprintf(&list, "    A%d: {$ref: f%d.yaml}\n", i, i)
	}
	fsys["spec.yaml"] = &fstest.MapFile{Data: []byte(list.String())}
	refused(t, fsys, "files are read at most", "spec.yaml")
}

// TestTogetherTooLarge: files that are small enough each may be too large together.
func TestTogetherTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("parses seventeen megabytes")
	}
	fsys := fstest.MapFS{}
	text := hostileHead + "x-a: " + strings.Repeat("a", 3<<20) + "\n"
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("f%d.yaml", i))
		fsys[names[i]] = &fstest.MapFile{Data: []byte(text)}
	}
	refused(t, fsys, "larger than 16 MB", names...)
}

// TestNothingOutside: no reference opens what lies outside the folder, by whatever way.
func TestNothingOutside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret.yaml")
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "type: string\ndescription: thesecret\n")
	write(filepath.Join(filepath.Dir(dir), "beside.yaml"), "description: thesecret\n")
	t.Cleanup(func() { os.Remove(filepath.Join(filepath.Dir(dir), "beside.yaml")) })
	if err := errors.Join(os.Symlink(secret, filepath.Join(dir, "link.yaml")),
		os.Symlink(outside, filepath.Join(dir, "linked")),
		os.Symlink("../"+filepath.Base(outside)+"/secret.yaml", filepath.Join(dir, "relative.yaml")),
		os.Symlink("loop.yaml", filepath.Join(dir, "loop.yaml")),
		syscall.Mkfifo(filepath.Join(dir, "fifo.yaml"), 0o600),
		os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	refs := []string{"link.yaml", "linked/secret.yaml", "relative.yaml", "loop.yaml", "fifo.yaml", "folder.yaml",
		"../beside.yaml", "a/../../beside.yaml", "%2e%2e/beside.yaml",
		"..%2fbeside.yaml", "..\\beside.yaml", secret, "file://" + secret, "file:" + secret,
		"FILE://localhost" + secret, "http://" + address + "/x.yaml", "http:" + address,
		"//" + address + "/x.yaml", "https://" + address + "/x.yaml#/a", "git+ssh://" + address + "/x", ".", "..", "./",
		"beside.yaml%00", "\\\\host\\share", "~/x.yaml", "$HOME/x.yaml"}
	var text strings.Builder
	text.WriteString(hostileHead + "components:\n  schemas:\n")
	for i, ref := range refs {
		fmt.Fprintf(&text, "    A%d: {$ref: %q}\n    B%d: {example: {$ref: %q}}\n", i, ref, i, ref)
	}
	write(filepath.Join(dir, "spec.yaml"), text.String())
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var a *API
	err = within(t, func() (err error) { a, err = Load(root.FS(), "spec.yaml"); return err })
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) != 1 || len(a.Gaps) < len(refs) {
		t.Errorf("read %v; %d gaps of %d references", a.Files, len(a.Gaps), len(refs))
	}
	for _, gap := range a.Gaps {
		if gap.File != "spec.yaml" || gap.Line == 0 || gap.Fix == "" {
			t.Errorf("a gap without a place or a fix: %v", gap)
		}
	}
	if text, err := a.YAML(); err != nil || strings.Contains(string(text), "thesecret") {
		t.Error("the secret is in the document")
	}
	if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if conn, err := listener.Accept(); err == nil {
		conn.Close()
		t.Error("somebody called the address")
	}
	for _, name := range []string{"link.yaml", "fifo.yaml", "folder.yaml", "../beside.yaml", secret, ""} {
		refused(t, root.FS(), "give the name of a file", name)
	}
}

// TestLongPatterns: long patterns over a long example do not keep the check of examples busy for minutes.
func TestLongPatterns(t *testing.T) {
	text := hostileSchemas("A: {anyOf: [" + many(300, "{pattern: '(a|b){900}c%d'}") + "], example: " +
		strings.Repeat("a", 1<<20) + "}")
	err := within(t, func() error {
		a, err := Load(folder(text), "spec.yaml")
		if err == nil && !strings.Contains(fmt.Sprint(a.Warnings()), "take too long") {
			err = fmt.Errorf("the warnings are %.300s", fmt.Sprint(a.Warnings()))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
