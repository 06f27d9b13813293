package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the report. Cells that have nothing to say are empty.
type row struct {
	what, postern, beside, compared, goal string
}

func report(w io.Writer, b *bench, disk figures, took time.Duration, rows []row) {
	fmt.Fprintf(w, "%s: %d cores (%s), %s, %s/%s. %d rounds of %s, %s in all.\n", time.Now().Format(time.DateOnly),
		runtime.NumCPU(), processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH, b.rounds, b.seconds,
		took.Round(time.Second))
	fmt.Fprintf(w, "The disk takes %s to append 4 KiB and sync.\n\n", disk.spread(micros))
	fmt.Fprintln(w, "| what | Postern | beside it | median (min–max) | goal |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.what, r.postern, r.beside, r.compared, r.goal)
	}
}

// processor gives the name of the CPU, where something tells.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "CPU unknown"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "CPU unknown"
}

// fsync measures what a durable write of one page costs on the disk of the databases: medians of ten runs of twenty.
func (b *bench) fsync() (figures, error) {
	f, err := os.Create(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var medians figures
	page := make([]byte, 4<<10)
	for range 10 {
		var times figures
		for range 20 {
			began := time.Now()
			if _, err := f.Write(page); err != nil {
				return nil, err
			}
			if err := f.Sync(); err != nil {
				return nil, err
			}
			times = append(times, float64(time.Since(began)))
		}
		medians = append(medians, times.median())
	}
	return medians, nil
}

// figures are one figure, measured again and again.
type figures []float64

func (f figures) median() float64 {
	sorted := slices.Sorted(slices.Values(f))
	return (sorted[(len(f)-1)/2] + sorted[len(f)/2]) / 2
}

// over divides round by round.
func (f figures) over(g figures) figures {
	ratios := make(figures, len(f))
	for i := range f {
		ratios[i] = f[i] / g[i]
	}
	return ratios
}

// less subtracts round by round.
func (f figures) less(g figures) figures {
	rest := make(figures, len(f))
	for i := range f {
		rest[i] = f[i] - g[i]
	}
	return rest
}

// spread writes the median, the least and the greatest.
func (f figures) spread(write func(float64) string) string {
	if len(f) == 1 {
		return write(f[0])
	}
	return fmt.Sprintf("%s (%s–%s)", write(f.median()), write(slices.Min(f)), write(slices.Max(f)))
}

func ratio(x float64) string { return fmt.Sprintf("%.2f", x) }

func rate(perSecond float64) string {
	if perSecond < 1000 {
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return fmt.Sprintf("%d,%03d/s", int(perSecond)/1000, int(perSecond)%1000)
}

// micros writes a time in nanoseconds.
func micros(ns float64) string {
	if abs := max(ns, -ns); abs >= 1e6 {
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
