package db

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// table is what Copy has to know of one: a test holds the list against the schema.
type table struct {
	name    string
	columns string // all of them, the first ones its key, in whose order it is read
	truths  string // those columns that are boolean: SQLite stores numbers for them
	where   string // which rows are content
}

// tables are in an order in which each refers only to those before it.
var tables = []table{
	{name: "users", columns: "localpart, password_hash, created, deactivated, locked, admin, erased, imported, " +
		"own_password", truths: "admin, erased, own_password"},
	{name: "root_keys", columns: "id, wrapped, created, retired"},
	{name: "sessions", columns: sessionColumns + ", prev_key_id",
		truths: "refreshable, single_use, locked, admin, imported"},
	{name: "imported_tokens", columns: "hash, session_id, refresh, expires", truths: "refresh"},
	{name: "registration_tokens", columns: "token, uses_allowed, used, expires, created, revoked"},
	{name: "registration_reservations", columns: "token, session_id, expires"},
	{name: "used_login_tokens", columns: "id, expires"},
	{name: "interactions", columns: "id, expires, version, sealed"},
	{name: "events", columns: "localpart, at, session_id, kind, device_id, generation, addr, agent"},
	{name: "outbox", columns: outboxColumns, truths: "refused, changed, spared"},
	// What a database says of itself is not true of its copy.
	{name: "settings", columns: "name, value",
		where: " WHERE name NOT IN ('" + movedTo + "', '" + copiedFrom + "', 'ping')"},
}

func (t table) width() int { return strings.Count(t.columns, ",") + 1 }

// words are the names in a list of columns.
func words(columns string) []string { return strings.Fields(strings.ReplaceAll(columns, ",", " ")) }

// plain makes the values of a row the same whatever engine they come from.
func (t table) plain() func(row []any) {
	var truths []int
	for i, name := range words(t.columns) {
		if slices.Contains(words(t.truths), name) {
			truths = append(truths, i)
		}
	}
	return func(row []any) {
		for _, i := range truths {
			if n, ok := row[i].(int64); ok {
				row[i] = n != 0
			}
		}
	}
}

func (t table) selects(columns string) string {
	return "SELECT " + columns + " FROM " + t.name + t.where
}

// inserts is a statement that adds some rows at once.
func (t table) inserts(rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", t.name, t.columns)
	for i := range rows * t.width() {
		switch {
		case i%t.width() > 0:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("), (")
		default:
			b.WriteString("(")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}

// digest says what rows a table holds, whatever their order: engines sort text differently.
type digest struct {
	rows int
	sum  [2]uint64
}

// add counts a row in.
func (d *digest) add(t table, row []any) {
	h := sha256.New()
	for _, v := range append([]any{t.name}, row...) {
		var text []byte
		switch v := v.(type) {
		case []byte:
			text = v
		case string:
			text = []byte(v)
		default: // a number, a truth value or nothing
			text = fmt.Append(nil, v)
		}
		_ = binary.Write(h, binary.BigEndian, uint64(len(text))) // a hash never fails
		h.Write(text)
	}
	all := h.Sum(nil)
	d.rows++
	for i := range d.sum {
		d.sum[i] += binary.BigEndian.Uint64(all[8*i:])
	}
}

// join counts the rows of another table in.
func (d *digest) join(other digest) {
	d.rows += other.rows
	for i := range d.sum {
		d.sum[i] += other.sum[i]
	}
}

// String is how a digest is written down.
func (d digest) String() string { return fmt.Sprintf("%d:%016x%016x", d.rows, d.sum[0], d.sum[1]) }
