package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What lies in memory when the program has been started: its file, and things that must be left alone.
const smaps = `00400000-00f7c000 r-xp 00000000 fe:00 10339763                           /usr/local bin/postern
Rss:                9936 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
00f7c000-01bc7000 r--p 00b7c000 fe:00 10339763                           /usr/local bin/postern
Rss:                8556 kB
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me
01bc7000-01bc9000 r--p 017c7000 fe:00 10339763                           /usr/local bin/postern
Rss:                   0 kB
Anonymous:             0 kB
Swap:                  4 kB
VmFlags: rd mr mw me
01bc9000-01c89000 rw-p 017c9000 fe:00 10339763                           /usr/local bin/postern
Rss:                 648 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac
01c89000-01c8a000 r--p 017c9000 fe:00 10339763                           /usr/local bin/postern
Rss:                   4 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
7f7dc79d0000-7f7dc7b50000 r--p 00000000 00:00 0
Anonymous:             0 kB
VmFlags: rd
7f7dc7b60000-7f7dc7bc0000 r--s 00000000 fe:00 1036                       /var/lib/postern.db-shm
Anonymous:             0 kB
VmFlags: rd
7ffd0a5f2000-7ffd0a5f4000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
VmFlags: rd ex
`

func TestUntouched(t *testing.T) {
	want := []memoryRange{{0x400000, 0xf7c000}, {0x1c89000, 0x1c8a000}}
	if got := untouched([]byte(smaps), "/usr/local bin/postern"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// The program loses pages and goes on.
func TestForgetProgram(t *testing.T) {
	before := programResident(t)
	forgetProgram()
	if after := programResident(t); after >= before {
		t.Errorf("%d KiB of the program are resident, before it were %d", after, before)
	}
}

func programResident(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", "self", "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssFile:"))
	if _, err := fmt.Sscanf(string(rest), "%d kB", &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
