package mock_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/test/rig/safe"
)

const hello = `openapi: 3.1.0
info: {title: hello, version: "1"}
paths:
  /hello:
    get:
      operationId: getHello
      responses:
        "200":
          description: hello
          content:
            application/json:
              schema:
                type: object
                properties:
                  word: {type: string}
              example: {word: one}
`

const bye = `  /bye:
    post:
      operationId: sayBye
      responses:
        "204": {description: bye}
`

// TestSaves: every way to save takes effect, and the console says what changed.
func TestSaves(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello)
	word := func() any { return b.want(b.ask("GET", "/hello", "", ""), 200, "spec").JSON["word"] }
	if word() != "one" {
		t.Fatalf("it begins with %v", word())
	}
	b.save("hello.yaml", strings.ReplaceAll(hello, "word: one", "word: two"))
	b.says("reloaded hello.yaml in ", 1)
	b.says("texts and examples only", 1)
	if word() != "two" {
		t.Errorf("after a save in place it is %v", word())
	}
	b.saveByRename("hello.yaml", hello+bye)
	b.says("1 operation added (sayBye, answered from the spec)", 1)
	b.want(b.ask("POST", "/bye", "", ""), 204, "spec")

	t.Log("a broken edit keeps the last good one, and is mended")
	b.save("hello.yaml", hello+bye+"  /never: [\n")
	b.says("still serving the spec of ", 1)
	b.want(b.ask("POST", "/bye", "", ""), 204, "spec")
	b.save("hello.yaml", hello+bye)
	b.says("as it was before it broke", 1)
	b.save("hello.yaml", strings.ReplaceAll(hello, "properties:\n",
		"required: [word]\n                properties:\n                  tone: {type: string}\n"))
	b.says("1 operation removed (sayBye)", 1)
	b.says("1 field added (getHello 200 tone)", 1)
	b.says("1 field changed (getHello 200 word)", 1)
	b.want(b.ask("POST", "/bye", "", ""), 404, "real")

	b.save("hello.yaml", strings.ReplaceAll(hello, "getHello", "greet"))
	b.says("1 operation renamed (getHello to greet), 1 field removed (greet 200 tone), 1 field changed (greet 200 word)", 1)
	b.save("hello.yaml", strings.ReplaceAll(hello, "properties:\n",
		"required: [word]\n                properties:\n                  tone: {type: string}\n"))
	b.says("1 operation renamed (greet to getHello)", 1)

	t.Log("a save that changes nothing says nothing; what comes after it does")
	before := b.out.String()
	b.save("hello.yaml", strings.ReplaceAll(hello, "properties:\n",
		"required: [word]\n                properties:\n                  tone: {type: string}\n"))
	b.save("hello.yaml", hello)
	b.says("1 field removed (getHello 200 tone)", 1)
	if lines := strings.Count(strings.TrimPrefix(b.out.String(), before), "\n"); lines != 1 {
		t.Errorf("two saves, of which one changes nothing, say\n%s", strings.TrimPrefix(b.out.String(), before))
	}
}

// TestSaveOfSecondFile: a file that the spec refers to is watched as well, wherever it lies, and from when it is first
// referred to.
func TestSaveOfSecondFile(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello, "parts/word.yaml", "type: string\nexample: far\n")
	far := strings.ReplaceAll(strings.ReplaceAll(hello, "word: {type: string}", `word: {$ref: "parts/word.yaml"}`),
		"              example: {word: one}\n", "")
	b.save("hello.yaml", far)
	b.says("reloaded hello.yaml in ", 1)
	if a := b.want(b.ask("GET", "/hello", "", ""), 200, "spec"); a.JSON["word"] != "far" {
		t.Errorf("the second file says far; the answer is %s", a.Raw)
	}
	b.saveByRename("parts/word.yaml", "type: string\nminLength: 7\nexample: farther\n")
	b.says("reloaded parts/word.yaml in ", 1)
	if a := b.want(b.ask("GET", "/hello", "", ""), 200, "spec"); a.JSON["word"] != "farther" {
		t.Errorf("the second file says farther; the answer is %s", a.Raw)
	}
	t.Log("a file in a folder that comes later")
	b.save("hello.yaml", strings.ReplaceAll(far, "parts/word.yaml", "later/word.yaml"))
	// the spec may be refused now, or have a gap; either way it comes right when the file is there
	time.Sleep(150 * time.Millisecond)
	b.save("later/word.yaml", "type: string\nexample: late\n")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if a := b.ask("GET", "/hello", "", ""); a.JSON["word"] == "late" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the second file says late; the answer is %s\n%s", a.Raw, b.out)
		}
	}
}

// TestRequestsDuringSaves: each request is answered by one spec, whole, while the file is saved over and over.
func TestRequestsDuringSaves(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello)
	of := func(n int) string {
		return strings.ReplaceAll(hello, "example: {word: one}", fmt.Sprintf("example: {word: w%d, again: w%d}", n, n))
	}
	b.save("hello.yaml", of(0))
	b.says("reloaded", 1)
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if a := b.ask("GET", "/hello", "", ""); a.Status != http.StatusOK ||
					a.JSON["word"] != a.JSON["again"] || a.JSON["word"] == nil {
					t.Errorf("the answer is %d %s", a.Status, a.Raw)
				}
				b.server.Document()
			}
		})
	}
	for n := range 8 {
		b.saveByRename("hello.yaml", of(n+1))
		b.says("reloaded", n+2)
	}
	close(done)
	asking.Wait()
	if a := b.ask("GET", "/hello", "", ""); a.JSON["word"] != "w8" {
		t.Errorf("at last it is %s", a.Raw)
	}
}

// TestSavesWithoutPause: a file that is written again and again is taken up all the same.
func TestSavesWithoutPause(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello)
	for n := 0; !strings.Contains(b.out.String(), "reloaded"); n++ {
		b.saveByRename("hello.yaml", strings.ReplaceAll(hello, "word: one", fmt.Sprintf("word: w%d", n)))
		time.Sleep(10 * time.Millisecond)
		if n > 2000 {
			t.Fatal("the spec was never taken up")
		}
	}
}

// TestSavesThatNobodyTells: the folder put in another's place, a file of another name, a link into a folder that is not
// watched.
func TestSavesThatNobodyTells(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(hello, "word: one", "word: two")
	t.Run("another folder", func(t *testing.T) {
		t.Parallel()
		b := &bench{TB: t, dir: filepath.Join(t.TempDir(), "in"), out: &safe.Buffer{}}
		b.save("hello.yaml", hello)
		b.start(realServer(t), "hello.yaml")
		for i := 1; i <= 2; i++ { // the second time it is the new folder that goes
			fatal(t, os.Rename(b.dir, b.dir+fmt.Sprint(i)))
			b.save("hello.yaml", strings.ReplaceAll(hello, "word: one", fmt.Sprint("word: new", i)))
			b.says("reloaded hello.yaml in ", i)
		}
		b.save("hello.yaml", hello+bye)
		b.says("1 operation added (sayBye, answered from the spec)", 1)
	})
	t.Run("another name", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, "hello.spec", hello)
		b.save("hello.spec", other+bye)
		b.says("1 operation added (sayBye, answered from the spec)", 1)
	})
	t.Run("a link", func(t *testing.T) {
		t.Parallel()
		b := &bench{TB: t, dir: t.TempDir(), out: &safe.Buffer{}}
		b.save("elsewhere/x.yaml", hello)
		fatal(t, os.Mkdir(filepath.Join(b.dir, "in"), 0o755))
		fatal(t, os.Symlink("../elsewhere/x.yaml", filepath.Join(b.dir, "in", "hello.yaml")))
		b.start(realServer(t), "in/hello.yaml")
		b.save("elsewhere/x.yaml", other+bye)
		b.says("1 operation added (sayBye, answered from the spec)", 1)
	})
}

// TestManyOperations: a save that brings many names the first of them.
func TestManyOperations(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hello.yaml", hello)
	text := hello
	for i := range 7 {
		text += strings.NewReplacer("/bye", fmt.Sprint("/bye", i), "sayBye", fmt.Sprint("sayBye", i)).Replace(bye)
	}
	b.save("hello.yaml", text)
	b.says("7 operations added (sayBye0, answered from the spec; sayBye1, answered from the spec;", 1)
	b.says("; and 3 more)", 1)
}

// TestSavedConstraints: a save that changes what is refused is never called one of texts only.
func TestSavedConstraints(t *testing.T) {
	t.Parallel()
	const plain = `openapi: 3.1.0
info: {title: k, version: "1"}
paths:
  /k:
    post:
      operationId: k
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {a: {type: string}}KEYWORD}
      responses:
        "204": {description: done}
`
	b := newBench(t, "k.yaml", strings.Replace(plain, "KEYWORD", "", 1))
	for i, test := range []struct{ keyword, says string }{
		{`, additionalProperties: false`, "1 field changed (k request)"},
		{`, minProperties: 1`, "1 field changed (k request)"},
		{`, not: {required: [a]}`, "1 field changed (k request)"},
		{`, unevaluatedProperties: false`, "1 field changed (k request)"},
		{``, "1 field changed (k request)"},
		{`, allOf: [{not: {required: [a]}}]`, "constraints"},
		{`, allOf: [{not: {required: [a]}}], description: new`, "texts and examples only"},
	} {
		from := len(b.out.String())
		b.save("k.yaml", strings.Replace(plain, "KEYWORD", test.keyword, 1))
		b.says("reloaded k.yaml", i+1)
		if said := b.out.String()[from:]; !strings.Contains(said, test.says) {
			t.Errorf("after %s it says %q, want %q", test.keyword, said, test.says)
		}
	}
}
