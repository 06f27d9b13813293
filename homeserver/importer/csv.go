package importer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
)

// columns are what the header of a CSV file may name, in any order; the first two it must.
var columns = []string{"user", "password_hash", "created", "deactivated", "email"}

func (c Config) readCSV() ([]record, error) {
	file, err := os.Open(c.From)
	if err != nil {
		return nil, fmt.Errorf("%w; name a CSV file", err)
	}
	defer file.Close()
	records, err := c.lines(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.From, err)
	}
	return records, nil
}

// lines reads text with a header. A user is a localpart or a whole user id; a hash is one that CheckHash takes, or
// empty.
func (c Config) lines(text io.Reader) ([]record, error) {
	in := bufio.NewReader(text)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" { // spreadsheets write a byte order mark
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	where, err := header(r)
	if err != nil {
		return nil, err
	}
	var records []record
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		one, err := c.line(fields, where)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		records = append(records, one)
	}
}

// header says in which field each column is; -1 for one that is not there.
func header(r *csv.Reader) (where [5]int, err error) {
	names, err := r.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return where, err
	}
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, names[i]) {
			return where, fmt.Errorf("the first line names a column %.40q; known are %s", name,
				strings.Join(columns, ", "))
		}
	}
	for i, name := range columns {
		if where[i] = slices.Index(names, name); where[i] < 0 && i < 2 {
			return where, fmt.Errorf("the first line must name the columns: %s, and if known %s",
				strings.Join(columns[:2], ","), strings.Join(columns[2:], ","))
		}
	}
	return where, nil
}

func (c Config) line(fields []string, where [5]int) (r record, err error) {
	field := func(i int) string {
		if where[i] < 0 {
			return ""
		}
		return strings.TrimSpace(fields[where[i]])
	}
	r.localpart, r.server = c.split(field(0))
	r.hash = field(1)
	if r.created, err = instant(field(2)); err != nil {
		return r, err
	}
	switch strings.ToLower(field(3)) {
	case "", "0", "f", "false", "no":
	case "1", "t", "true", "yes":
		r.deactivated = true
	default:
		return r, fmt.Errorf("deactivated is %.40q; write true or false", field(3))
	}
	r.emails, err = emailsOf(r.localpart, field(4))
	return r, err
}

// emailsOf reads the mail addresses of a line, with spaces between them. Whoever wrote the file says that they are the
// account's owner's.
func emailsOf(localpart, text string) (all []db.Email, err error) {
	for word := range strings.FieldsSeq(text) {
		address, err := handlers.Address(word)
		if err != nil {
			return nil, fmt.Errorf("email is %.40q: %w", word, err)
		}
		if len(all) == db.MaxEmails {
			return nil, fmt.Errorf("email has more than %d addresses", db.MaxEmails)
		}
		all = append(all, db.Email{Address: address, Localpart: localpart})
	}
	return all, nil
}

// instant reads a time: RFC 3339, a date, or Unix seconds or milliseconds.
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		if n < 1e11 { // as milliseconds that would be before 1973, as seconds after 5138
			n *= 1000
		}
		return millis(n), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("created is %.40q; write it like 2026-11-24T12:00:00Z, or in Unix seconds", text)
}
