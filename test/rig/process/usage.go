package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process holds. Linux alone tells.
type Usage struct {
	Resident    int64 // bytes of memory
	Private     int64 // of them, those that are no pages of a file, such as the program itself
	Peak        int64 // the most it ever held
	Descriptors int   // open files and connections
}

// Usage looks at the process.
func (s *Server) Usage() (Usage, error) { return UsageOf(s.PID()) }

// UsageOf looks at any process.
func UsageOf(pid int) (u Usage, err error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return u, err
	}
	for line := range bytes.Lines(status) {
		field := strings.Fields(string(line))
		if len(field) != 3 || field[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(field[1], 10, 64)
		if err != nil {
			return u, err
		}
		switch field[0] {
		case "VmRSS:":
			u.Resident = kib << 10
		case "RssAnon:":
			u.Private = kib << 10
		case "VmHWM:":
			u.Peak = kib << 10
		}
	}
	open, err := os.ReadDir(folder + "fd")
	u.Descriptors = len(open)
	return u, err
}

// CPUOf is the processor time that a process has used; 0 where nothing tells.
func CPUOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const tick = time.Second / 100 // what Linux counts in here on every architecture that Go runs on
	_, rest, _ := strings.Cut(string(stat), ") ")
	field := strings.Fields(rest)
	if len(field) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(field[11], 10, 64)
	system, _ := strconv.ParseInt(field[12], 10, 64)
	return time.Duration(user+system) * tick
}
