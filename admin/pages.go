package admin

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"postern/db"
)

// defaultLimit is the contract's.
const defaultLimit = 100

// cursor is where a page ends, in words of its last row. For clients it is opaque.
type cursor []string

// text is nil for the end of a list.
func (c cursor) text() *string {
	if c == nil {
		return nil
	}
	raw, _ := json.Marshal(c) // texts always can be
	text := base64.RawURLEncoding.EncodeToString(raw)
	return &text
}

// readCursor reads what text has written of so many words; without a text they are empty.
func readCursor(text *string, words int) (cursor, error) {
	if text == nil {
		return make(cursor, words), nil
	}
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(*text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil || len(c) != words {
		return nil, badRequest("M_INVALID_PARAM", "This from is of no page of this list.")
	}
	return c, nil
}

// instant is a word for a time.
func instant(t time.Time) string { return strconv.FormatInt(db.Millis(t), 10) }

// at is the time of a word, or none.
func (c cursor) at(i int) time.Time {
	ms, _ := strconv.ParseInt(c[i], 10, 64)
	return db.FromMillis(ms)
}

// page reads rows after a place in a list, one more than are shown: if it is there, the list goes on.
func page[Row, Shown any](limit *int, read func(limit int) ([]Row, error), show func(Row) Shown,
	place func(Row) cursor) (shown []Shown, next *string, err error) {
	most := defaultLimit
	if limit != nil {
		most = *limit
	}
	rows, err := read(most + 1)
	if err != nil {
		return nil, nil, err
	}
	if len(rows) > most {
		rows = rows[:most]
		next = place(rows[most-1]).text()
	}
	return all(rows, show), next, nil
}

// all shows rows; a list that is empty is one all the same.
func all[Row, Shown any](rows []Row, show func(Row) Shown) []Shown {
	shown := make([]Shown, 0, len(rows))
	for _, row := range rows {
		shown = append(shown, show(row))
	}
	return shown
}
