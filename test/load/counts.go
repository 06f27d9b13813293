package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"postern/test/rig/process"
)

// counts are vegeta's, for each kind of request.
type counts struct {
	began  time.Time
	of     [kinds]vegeta.Metrics
	failed [kinds]int
	errors []string // the first few
}

func newCounts() *counts { return &counts{began: time.Now()} }

func (c *counts) add(r *vegeta.Result) {
	k := check
	switch {
	case strings.HasSuffix(r.URL, process.RefreshPath):
		k = refresh
	case strings.HasSuffix(r.URL, process.LoginPath):
		k = login
	}
	c.of[k].Add(r)
	if r.Error == "" && r.Code == http.StatusOK {
		return
	}
	c.failed[k]++
	if len(c.errors) < 10 {
		c.errors = append(c.errors, fmt.Sprintf("%s at %s: %d %s %s", kindNames[k], r.Timestamp.Format(time.TimeOnly),
			r.Code, r.Error, r.Body))
	}
}

// progress tells how far it is, in a line.
func (c *counts) progress() string {
	var all, failed int
	for k := range kinds {
		all += int(c.of[k].Requests)
		failed += c.failed[k]
	}
	took := time.Since(c.began)
	return fmt.Sprintf("%v, %d requests, %.0f/s, %d errors", took.Round(time.Second), all, float64(all)/took.Seconds(),
		failed)
}

// err tells what failed.
func (c *counts) err() error {
	n := 0
	for k := range kinds {
		n += c.failed[k]
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d requests failed, first\n%s", n, strings.Join(c.errors, "\n"))
}

// readBody reads an answer's body and puts it back.
func readBody(answer *http.Response) ([]byte, error) {
	text, err := io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return text, err
}
