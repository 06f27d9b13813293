package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report prints what came of one engine.
func report(out io.Writer, engine string, l *load, c *counts, before, after held) {
	fmt.Fprintf(out, "\n%s, %d workers, %d sessions, %g minutes\n\n", engine, l.workers, l.sessions, l.minutes)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tcount\tper second\t50 %\t90 %\t99 %\t99.9 %\tmax\terrors\t")
	for k := range kinds {
		m := &c.of[k]
		m.Close()
		fmt.Fprintf(t, "%s\t%d\t%.1f\t", kindNames[k], m.Requests, m.Rate)
		for _, d := range []time.Duration{m.Latencies.P50, m.Latencies.Quantile(0.90), m.Latencies.P99,
			m.Latencies.Quantile(0.999), m.Latencies.Max} {
			fmt.Fprintf(t, "%s\t", milliseconds(d))
		}
		fmt.Fprintf(t, "%d\t\n", c.failed[k])
	}
	t.Flush()
	fmt.Fprintln(out)
	t = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmemory\tpeak\tgoroutines\tdescriptors\t")
	for _, row := range []struct {
		when string
		held
	}{{"before", before}, {"after", after}} {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t\n", row.when, mib(row.Resident), mib(row.Peak), row.goroutines,
			row.Descriptors)
	}
	t.Flush()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
