package page

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// content is the page, and Swagger UI as `make page-assets` fetched it: compressed, which almost every browser
// accepts and which keeps the binary and the repository small. Its licence is served with it.
//
//go:embed web assets/*.gz assets/LICENSE assets/NOTICE assets/*.txt
var content embed.FS

// file is what is served at one path, ready to be sent.
type file struct {
	kind  string // its media type
	etag  string // of the content, however it is sent
	bytes []byte
	gzip  bool // whether bytes are compressed
}

// kinds are the media types by ending: package mime would also ask the machine, and machines differ.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

func newFile(name string, bytes []byte) *file {
	plain, packed := strings.CutSuffix(name, ".gz")
	sum := sha256.Sum256(bytes)
	return &file{kind: cmp.Or(kinds[path.Ext(plain)], "text/plain; charset=utf-8"), etag: hex.EncodeToString(sum[:16]),
		bytes: bytes, gzip: packed}
}

// readFiles gives the embedded files by the name that they are served under.
func readFiles() map[string]*file {
	files := make(map[string]*file)
	for _, dir := range []string{"web", "assets"} {
		entries, err := content.ReadDir(dir)
		if err != nil {
			panic(err) // unreachable: the folders are in the binary
		}
		for _, entry := range entries {
			bytes, err := content.ReadFile(dir + "/" + entry.Name())
			if err != nil {
				panic(err) // unreachable
			}
			files[strings.TrimSuffix(entry.Name(), ".gz")] = newFile(entry.Name(), bytes)
		}
	}
	return files
}

// ServeHTTP lets browsers keep the file but ask each time: another build of the server may have another.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	f.write(w, r)
}

func (f *file) write(w http.ResponseWriter, r *http.Request) {
	h, body := w.Header(), f.bytes
	etag := `"` + f.etag + `"`
	if f.gzip {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			etag = `"` + f.etag + `-gzip"` // two forms are two entities: RFC 9110, section 8.8.3
		} else {
			body = inflate(body)
		}
	}
	h.Set("ETag", etag)
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body))) // which ServeContent leaves out of what is compressed
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding: RFC 9110, section 12.5.3.
func acceptsGzip(r *http.Request) bool {
	gzip, any := -1.0, -1.0
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight := quality(item)
		switch coding {
		case "gzip", "x-gzip":
			gzip = weight
		case "*":
			any = weight
		}
	}
	return gzip > 0 || gzip < 0 && any > 0
}

// quality takes an item of a list of preferences apart. One without a weight, or with one that cannot be read, weighs
// 1.
func quality(item string) (coding string, weight float64) {
	coding, params, err := mime.ParseMediaType(strings.TrimSpace(item))
	if err != nil {
		return "", 1
	}
	if weight, err = strconv.ParseFloat(params["q"], 64); err != nil {
		weight = 1
	}
	return coding, weight
}

// inflate serves the rare client that takes nothing compressed.
func inflate(packed []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err) // unreachable: a test unpacks all that is embedded
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		panic(err) // unreachable
	}
	return plain
}
