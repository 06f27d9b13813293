package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what a process holds. Linux alone tells.
type Usage struct {
	Resident    int64 // bytes of memory
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
		case "VmHWM:":
			u.Peak = kib << 10
		}
	}
	open, err := os.ReadDir(folder + "fd")
	u.Descriptors = len(open)
	return u, err
}
