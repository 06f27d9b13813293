package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// sockets are where a server listens. A socket that systemd has opened for it (sd_listen_fds(3)) stays open while one
// server ends and the next one starts: who connects meanwhile waits for the next one and is not refused.
type sockets struct {
	log      *slog.Logger
	patience patience

	given   map[string]net.Listener // of systemd, by the flag in whose place they are
	open    []net.Listener
	leaving atomic.Bool // the next server listens: each connection gets one more answer
}

// newSockets takes those that systemd has opened. They are known by their names (FileDescriptorName): internal-listen
// and metrics-listen are in place of the flags of these names, which must be set, and any other name is --listen's.
// The worker of --linger has them from its parent, whose number LISTEN_PID is.
func (f *serveFlags) newSockets(getenv func(string) string) (*sockets, error) {
	s := &sockets{given: make(map[string]net.Listener)}
	receiver := os.Getpid()
	if f.Worker {
		receiver = os.Getppid()
	}
	number, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || getenv("LISTEN_PID") != strconv.Itoa(receiver) {
		return s, nil
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range number {
		flag := "--listen"
		if i < len(names) && (names[i] == "internal-listen" || names[i] == "metrics-listen") {
			flag = "--" + names[i]
		}
		if err := s.inherit(3+i, flag); err != nil {
			return nil, err
		}
	}
	if f.InternalListen == "" && s.given["--internal-listen"] != nil {
		return nil, errors.New("the server was started with a socket named internal-listen; set --internal-listen too")
	}
	if f.MetricsListen == "" && s.given["--metrics-listen"] != nil {
		return nil, errors.New("the server was started with a socket named metrics-listen; set --metrics-listen too")
	}
	return s, nil
}

// inherit takes a descriptor in place of a flag.
func (s *sockets) inherit(number int, flag string) error {
	file := os.NewFile(uintptr(number), flag)
	defer file.Close() // the listener has its own
	listener, err := net.FileListener(file)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // the rest names the flag as if it was a file
		}
		return fmt.Errorf("descriptor %d, which the server was started with, is no listening socket: %w; look at "+
			"ListenStream of the socket unit, or at what else sets LISTEN_FDS", number, err)
	}
	if s.given[flag] != nil {
		return fmt.Errorf("the server was started with two sockets in place of %s; one of them needs "+
			"FileDescriptorName=internal-listen, or metrics-listen, in its unit", flag)
	}
	s.given[flag] = listener
	return nil
}

// listen opens the address of a flag, unless it was open before the server started.
func (s *sockets) listen(flag, address string) (listener net.Listener, err error) {
	if listener = s.given[flag]; listener != nil {
		s.log.Info("this socket was open already", "flag", flag, "address", listener.Addr().String())
	} else if listener, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("cannot listen: %w; choose another with %s", err, flag)
	}
	s.open = append(s.open, listener)
	return listener, nil
}

// leave ends the listening, and leaves it to the next server. Connections go on for one more answer each.
func (s *sockets) leave() {
	s.leaving.Store(true)
	for _, listener := range s.open {
		_ = listener.Close()
	}
}

// listenApart answers on an address of its own, if there is one, until it is told to end. It gives where that is.
func (s *sockets) listenApart(flag, address string, handler http.Handler) (at string, end func(), err error) {
	if address == "" {
		return "--listen", func() {}, nil
	}
	listener, err := s.listen(flag, address)
	if err != nil {
		return "", nil, err
	}
	server := s.newServer(handler)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != http.ErrServerClosed && !s.leaving.Load() {
			s.log.Error("nothing is answered any more at an address; start the server again", "flag", flag, "error",
				err)
		}
	}()
	return listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

func (s *sockets) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.leaving.Load() {
				w.Header().Set("Connection", "close")
			}
			handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: s.patience.header,
		ReadTimeout:       s.patience.read,
		WriteTimeout:      s.patience.write,
		IdleTimeout:       s.patience.idle,
		MaxHeaderBytes:    32 << 10, // a token takes at most 8 KiB of it
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
