package guide

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const section = "## In front of your Synapse"

// readme is the section of the README, and its commands in their order.
func readme(t *testing.T) (lines int, commands []string) {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), section+"\n")
	if !found {
		t.Fatalf("the README has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		lines++
		if command, indented := strings.CutPrefix(line, "    "); indented {
			command, _, _ = strings.Cut(command, " #")
			if last := len(commands) - 1; last >= 0 && strings.HasSuffix(commands[last], `\`) {
				commands[last] = strings.TrimSuffix(commands[last], `\`) + strings.TrimSpace(command)
			} else {
				commands = append(commands, strings.TrimSpace(command))
			}
		}
	}
	return lines, commands
}

// TestReadmeIsShort: it is read at night, with friends waiting.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	if lines, commands := readme(t); lines+1 > 60 || len(commands) < 5 {
		t.Errorf("the section has %d lines and %d commands", lines+1, len(commands))
	}
}

// TestUnit: the unit for systemd runs what the README shows, and is given the secret by systemd.
func TestUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/postern.service")
	if err != nil {
		t.Fatal(err)
	}
	_, commands := readme(t)
	want := strings.Replace("ExecStart=/usr/local/bin/"+serveLine(t, commands), theirSecret, "%d/secret", 1)
	for _, line := range []string{want, "LoadCredential=secret:" + theirSecret,
		"Environment=POSTERN_DB=" + theirFolder + "/postern.db POSTERN_SERVER_NAME=" + theirName} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("docs/postern.service lacks %s", line)
		}
	}
}

// TestUnitIsNarrow: what systemd itself calls the unit's exposure, of 10, and what it does not count: no core holds
// keys, and there are descriptors enough.
func TestUnitIsNarrow(t *testing.T) {
	t.Parallel()
	const unit = "../../../docs/postern.service"
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"LimitCORE=0", "LimitNOFILE=65536", "UMask=0077"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("docs/postern.service lacks %s", line)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze")
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
		unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
