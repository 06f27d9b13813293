package delegation

import (
	"fmt"
	"strings"
)

// context is how many lines stand around a change.
const context = 3

// difference is a line of a diff: ' ', '-' or '+'.
type difference struct {
	sign byte
	line string
}

// Diff shows the change as a unified diff. Values that look like secrets stay hidden: a diff is pasted into chats.
func (c Change) Diff() string {
	steps := compare(splitLines(string(c.Before)), splitLines(string(c.After)))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", c.Path, c.Path)
	old, now := 1, 1 // lines before step i
	for i := 0; i < len(steps); {
		if steps[i].sign == ' ' {
			i, old, now = i+1, old+1, now+1
			continue
		}
		from := max(0, i-context)
		to, quiet := i, 0
		for ; to < len(steps) && quiet <= 2*context; to++ {
			if quiet++; steps[to].sign != ' ' {
				quiet = 0
			}
		}
		to -= max(0, quiet-context)
		hunk(&out, steps[from:to], old-(i-from), now-(i-from))
		for ; i < to; i++ {
			old += count(steps[i].sign != '+')
			now += count(steps[i].sign != '-')
		}
	}
	return out.String()
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func hunk(out *strings.Builder, steps []difference, old, now int) {
	olds, nows := 0, 0
	for _, s := range steps {
		olds += count(s.sign != '+')
		nows += count(s.sign != '-')
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", old, olds, now, nows)
	for _, s := range steps {
		body, end := cutEnding(s.line)
		fmt.Fprintf(out, "%c%s\n", s.sign, hide(body))
		if end == "" {
			out.WriteString("\\ No newline at end of file\n")
		}
	}
}

// compare finds a shortest way from one text to the other between what they share at both ends.
func compare(a, b []string) (steps []difference) {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	for _, line := range a[:start] {
		steps = append(steps, difference{' ', line})
	}
	steps = append(steps, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	for _, line := range a[len(a)-end:] {
		steps = append(steps, difference{' ', line})
	}
	return steps
}

// middle is the longest common subsequence by its table; a configuration has some thousands of lines at most.
func middle(a, b []string) (steps []difference) {
	width := len(b) + 1
	long := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				long[i*width+j] = long[(i+1)*width+j+1] + 1
			} else {
				long[i*width+j] = max(long[(i+1)*width+j], long[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			steps = append(steps, difference{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && long[(i+1)*width+j] >= long[i*width+j+1]:
			steps = append(steps, difference{'-', a[i]})
			i++
		default:
			steps = append(steps, difference{'+', b[j]})
			j++
		}
	}
	return steps
}
