package specs

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// source is a package that specs come from.
type source struct{ client, name, version, sum string }

// sources reads packages.txt.
func sources(t *testing.T) map[string]source {
	t.Helper()
	text, err := os.ReadFile("packages.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]source)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 5 && f[0] != "#" {
			all[f[1]] = source{f[0], f[1], f[2], f[3]}
		}
	}
	return all
}

// folder is where the package's files are; npm's are unpacked there.
func (s source) folder(t *testing.T) (string, error) {
	if s.client == "go" {
		return s.module()
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := strings.NewReplacer("@", "", "/", "-").Replace(s.name) + "-" + s.version + ".tgz"
	return s.unpack(t, filepath.Join(cache, "postern-test", "specs", name))
}

// module finds a module where the go command keeps it, and fetches nothing. None of the names has a capital letter,
// which the folders are named otherwise for.
func (s source) module() (string, error) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return "", err
	}
	cache := strings.TrimSpace(string(out))
	sum, err := os.ReadFile(filepath.Join(cache, "cache", "download", filepath.FromSlash(s.name), "@v",
		s.version+".ziphash"))
	if err != nil {
		return "", err
	}
	if string(sum) != s.sum {
		return "", fmt.Errorf("%s has the sum %s, want %s", s.name, sum, s.sum)
	}
	return filepath.Join(cache, filepath.FromSlash(s.name)+"@"+s.version), nil
}

// unpack unpacks a tarball of npm whose integrity is the one that is pinned.
func (s source) unpack(t *testing.T, tarball string) (string, error) {
	file, err := os.Open(tarball)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != s.sum {
		return "", fmt.Errorf("%s has the integrity %s, want %s", s.name, got, s.sum)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	raw, err := gzip.NewReader(file)
	if err != nil {
		return "", err
	}
	folder, err := os.OpenRoot(t.TempDir())
	if err != nil {
		return "", err
	}
	defer folder.Close()
	return filepath.Join(folder.Name(), "package"), extract(tar.NewReader(raw), folder)
}

func extract(from *tar.Reader, folder *os.Root) error {
	for {
		header, err := from.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := folder.MkdirAll(filepath.Dir(header.Name), 0o755); err != nil {
			return err
		}
		content, err := io.ReadAll(from)
		if err != nil {
			return err
		}
		if err := folder.WriteFile(header.Name, content, 0o644); err != nil {
			return err
		}
	}
}
