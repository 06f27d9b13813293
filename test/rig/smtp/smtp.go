// Package smtp gives tests a real SMTP server, aiosmtpd from PyPI, which behaves as it is told, and certificates for
// it, good and bad.
//
// Where it is not installed the test is skipped, loudly; with TEST_SMTP=required it fails, so that a gate cannot miss
// it. With TEST_SMTP=off it is always skipped. To install it: test/rig/smtp/install.
//
//	server := smtp.New(t, smtp.Config{TLS: "starttls", Cert: smtp.Good})
//	server.Be("full")
//	mails := server.Mails()
package smtp

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

//go:embed requirements.txt
var requirements []byte

//go:embed server.py
var program string

// Config is how the server speaks.
type Config struct {
	TLS            string // starttls or tls; empty: it offers none
	Cert           Cert
	User, Password string // empty: it asks nobody
}

// Mail is one that the server has taken.
type Mail struct {
	From    string
	To      []string
	Text    string // all of it, with its header
	TLS     bool
	User    string
	Session int64 // of the server's: mails of one connection have the same
}

// Header reads a field of the header.
func (m Mail) Header(t testing.TB, field string) string {
	t.Helper()
	read, err := mail.ReadMessage(strings.NewReader(m.Text))
	if err != nil {
		t.Fatal(err)
	}
	return read.Header.Get(field)
}

// Plain is what a reader without HTML sees: the first part.
func (m Mail) Plain(t testing.TB) string {
	t.Helper()
	read, err := mail.ReadMessage(strings.NewReader(m.Text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(read.Body, params["boundary"]).NextPart() // which decodes it
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Server is one that runs until the test ends.
type Server struct {
	Port string
	CA   string // file with the certificate that a client has to trust

	t     testing.TB
	stdin io.Writer
	modes chan string
	asks  sync.Mutex // one asks at a time
	mode  string
	mu    sync.Mutex
	mails []Mail
}

// python is the interpreter that has aiosmtpd.
func python(t testing.TB) string {
	t.Helper()
	if os.Getenv("TEST_SMTP") == "off" {
		t.Skip("TEST_SMTP=off")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := bytes.Cut(requirements, []byte("\n"))
	release, _ := bytes.CutPrefix(first, []byte("aiosmtpd=="))
	path := filepath.Join(cache, "postern-test", "aiosmtpd-"+string(release), "bin", "python")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	const missing = "NO SMTP SERVER: install it with test/rig/smtp/install"
	if os.Getenv("TEST_SMTP") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// New starts a server.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	s := &Server{t: t, modes: make(chan string, 1), mode: "well"}
	cert, key := "", ""
	if c.TLS != "" {
		cert, key, s.CA = c.Cert.files(t)
	}
	cmd := exec.Command(python(t), "-c", program, c.TLS, cert, key, c.User, c.Password)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	port, ended := make(chan int, 1), make(chan struct{})
	go func() { defer close(ended); s.listen(stdout, port) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		cmd.Wait()
	})
	select {
	case n := <-port:
		s.Port = fmt.Sprint(n)
	case <-ended:
		t.Fatal("the SMTP server did not start")
	}
	return s
}

// listen reads what the server says.
func (s *Server) listen(stdout io.Reader, port chan<- int) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var said struct {
			Port         int
			Mode         *string
			Mail, Sender string
			To           []string
			TLS          bool
			User         string
			Session      int64
		}
		if err := json.Unmarshal(line, &said); err != nil {
			s.t.Errorf("the SMTP server says %s: %v", line, err)
		}
		switch {
		case said.Port > 0:
			port <- said.Port
		case said.Mode != nil:
			s.modes <- *said.Mode
		default:
			s.mu.Lock()
			s.mails = append(s.mails, Mail{said.Sender, said.To, said.Mail, said.TLS, said.User, said.Session})
			s.mu.Unlock()
		}
	}
}

// Be has it behave otherwise from now on: well, slow, full, later, refuse, refuse one (nobody@), refuse the sender,
// spam, closing, cut (once it has the mail, before it answers), cut idle, stall at PHASE (greeting, EHLO, MAIL, RCPT,
// DATA, the end).
func (s *Server) Be(mode string) {
	s.t.Helper()
	s.asks.Lock()
	defer s.asks.Unlock()
	s.be(mode)
}

func (s *Server) be(mode string) {
	s.t.Helper()
	s.mode = mode
	if _, err := fmt.Fprintln(s.stdin, mode); err != nil {
		s.t.Fatal(err)
	}
	select {
	case got := <-s.modes:
		if got != mode {
			s.t.Fatalf("the SMTP server is %q, not %q", got, mode)
		}
	case <-time.After(time.Minute):
		s.t.Fatal("the SMTP server does not hear")
	}
}

// Mails are those that it has taken so far.
func (s *Server) Mails() []Mail {
	s.t.Helper()
	s.asks.Lock()
	defer s.asks.Unlock()
	s.be(s.mode) // once it has said that, it has said all that was before
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Wait waits for n mails, a minute at most, and gives all that it has taken then.
func (s *Server) Wait(n int) []Mail {
	s.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if all := s.Mails(); len(all) >= n {
			return all
		}
	}
	s.t.Fatalf("fewer than %d mails have come", n)
	return nil
}
