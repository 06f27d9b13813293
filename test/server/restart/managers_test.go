package restart

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/systemd"
)

// bySystemd has a systemd run the units of docs, and gives what does the verb. Only addresses, paths and the user are
// put in their place, and what needs a whole Debian is left out.
func bySystemd(verb string) func(*testing.T, *site) func() {
	return func(t *testing.T, s *site) func() {
		m := systemd.Boot(t)
		change := strings.NewReplacer("127.0.0.1:8008", strings.TrimPrefix(s.url, "http://"),
			"127.0.0.1:8009", s.internal, "User=postern\n", "", "postern:postern", "root:root", "LoadCredential=", "#", "PrivateTmp=", "#",
			"[Unit]\n", "[Unit]\nDefaultDependencies=no\n", "After=network-online.target\n", "",
			"Wants=network-online.target\n", "", "POSTERN_DB=/var/lib/postern/postern.db", "POSTERN_DB="+s.Database,
			"StateDirectory=postern\n", "StateDirectory=postern\nReadWritePaths="+s.folder+"\nStandardError=append:"+s.folder+"/log\n",
			"ExecStart=/usr/local/bin/postern serve --homeserver http://127.0.0.1:8010 --homeserver-secret-file %d/secret ",
			"ExecStart="+s.Binary+" serve --rate-limit off --homeserver "+s.upstream.URL+" --homeserver-secret-file "+
				s.flags[3]+" ")
		for _, name := range []string{"postern.service", "postern.socket", "postern-internal.socket"} {
			text, err := os.ReadFile("../../../docs/" + name)
			if err != nil {
				t.Fatal(err)
			}
			m.Unit(t, name, change.Replace(string(text)))
		}
		m.Ctl(t, "daemon-reload")
		m.Ctl(t, "start", "postern.socket", "postern-internal.socket", "postern")
		t.Cleanup(func() { m.Ctl(t, "stop", "postern.socket", "postern-internal.socket", "postern") })
		return func() { m.Ctl(t, verb, "postern") }
	}
}

// byHand opens the sockets as systemd does, and starts the next server when the process of the one before has ended.
// Between both nobody may use the database: a backup could be put back then.
func byHand(t *testing.T, s *site) func() {
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	sockets := s.listen(t)
	start := func() *exec.Cmd {
		cmd := s.given(sockets, "listen:internal-listen", s.flags...)
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	stop := func(cmd *exec.Cmd) {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		killer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer killer.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends with %v", err)
		}
	}
	serving := start()
	t.Cleanup(func() { s.upstream.finish(); stop(serving) })
	return func() {
		stop(serving)
		if open := users(s.Database); len(open) > 0 {
			t.Errorf("%q use the database still", open)
		}
		serving = start()
	}
}

// listen opens the site's two addresses.
func (s *site) listen(t *testing.T) (files []*os.File) {
	t.Helper()
	for _, at := range []string{strings.TrimPrefix(s.url, "http://"), s.internal} {
		listener, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		files = append(files, file)
	}
	return files
}

// given is a server that gets sockets of these names.
func (s *site) given(sockets []*os.File, names string, flags ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh", s.Binary, "serve",
		"--db", s.Database}, flags...)...)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = sockets
	return cmd
}

// users are the descriptors of a file that Postern's processes have. One that was deleted does not count: it is no part
// of the database any more.
func users(path string) (all []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, process := range processes {
		if command, _ := os.ReadFile(process); !strings.Contains(string(command), path) {
			continue
		}
		descriptors, _ := filepath.Glob(filepath.Dir(process) + "/fd/*")
		for _, descriptor := range descriptors {
			to, _ := os.Readlink(descriptor)
			if strings.HasPrefix(to, path) && !strings.HasSuffix(to, "-shm (deleted)") {
				all = append(all, descriptor+" "+to)
			}
		}
	}
	return all
}
