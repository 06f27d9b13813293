package cli

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetProgram unmaps the pages of the program's own file that the start brought in: migrations, flags, the reading of
// the contract. What is needed again comes back from the page cache. A start leaves 18 MiB of them resident, a server
// that waits needs 4, and one that has done a bit of everything 14.
//
// It is safe because the mappings are only read and nobody wrote to them: one that has private pages, from a debugger's
// breakpoint or from relocation, is left alone. What cannot be told or done is left as it is.
func forgetProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, r := range untouched(maps, program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, r.start, r.end-r.start, syscall.MADV_DONTNEED)
	}
}

// memoryRange is a part of the address space.
type memoryRange struct{ start, end uintptr }

// untouched finds the read-only mappings of a file that hold nothing but the file. See proc(5), "/proc/pid/smaps".
func untouched(maps []byte, file string) (found []memoryRange) {
	var r memoryRange
	candidate := false
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		field := strings.Fields(lines.Text())
		switch {
		case len(field) < 2:
		// the head of a mapping: range, permissions, offset, device, inode, path
		case !strings.HasSuffix(field[0], ":"):
			from, to, _ := strings.Cut(field[0], "-")
			start, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			r = memoryRange{uintptr(start), uintptr(end)}
			candidate = err1 == nil && err2 == nil && strings.HasPrefix(field[1], "r-") &&
				strings.HasSuffix(lines.Text(), " "+file)
		case (field[0] == "Anonymous:" || field[0] == "Swap:") && field[1] != "0":
			candidate = false
		case field[0] == "VmFlags:" && candidate: // the last line of each
			found = append(found, r)
		}
	}
	return found
}
