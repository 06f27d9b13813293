package db

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Table is what Copy and Backup have to know of a table: a test holds the list against the schema.
type Table struct {
	Name    string
	Columns string // all of them, separated by commas, the first ones its key, in whose order it is read
	Bools   string // those that are boolean: SQLite stores numbers for them
	where   string // which rows are content
	passing bool   // rows live for minutes, so that a backup leaves them out
}

// tables are those of this package, in an order in which each refers only to those before it.
var tables = []Table{
	{Name: "users", Columns: "localpart, password_hash, created, deactivated, locked, admin, erased, imported, " +
		"own_password, noticed, closings", Bools: "admin, erased, own_password"},
	{Name: "root_keys", Columns: "id, wrapped, created, retired, closed"},
	{Name: "sessions", Columns: sessionColumns + ", prev_key_id",
		Bools: "refreshable, single_use, locked, admin, imported, bot"},
	{Name: "ended_sessions", Columns: "mark"},
	{Name: "oauth_clients", Columns: "id, metadata, created, keep, added", Bools: "added"},
	{Name: "browsers", Columns: browserColumns},
	{Name: "factors", Columns: factorColumns},
	{Name: "emails", Columns: emailColumns},
	{Name: "imported_tokens", Columns: "hash, session_id, refresh, expires", Bools: "refresh"},
	{Name: "registration_tokens", Columns: "token, uses_allowed, used, expires, created, revoked"},
	{Name: "registration_reservations", Columns: "token, session_id, expires"},
	{Name: "waiting_users", Columns: waitingColumns},
	{Name: "used_login_tokens", Columns: "id, expires"},
	{Name: "deliveries", Columns: deliveryColumns + ", holder, held, counted, asker"},
	{Name: "interactions", Columns: "id, expires, version, sealed, kind", passing: true},
	{Name: "events", Columns: "localpart, at, session_id, kind, device_id, generation, addr, agent"},
	{Name: "outbox", Columns: "localpart, device_id, since, due, tries, refused, error, spared, changed, holder, " +
		"held, reopen",
		Bools: "refused, changed, spared, reopen"},
	// What a database says of itself is not true of its copy.
	{Name: "settings", Columns: "name, value",
		where: " WHERE name NOT IN ('" + movedTo + "', '" + copiedFrom + "', 'ping')"},
}

func (t Table) width() int { return strings.Count(t.Columns, ",") + 1 }

// words are the names in a list of columns.
func words(columns string) []string { return strings.Fields(strings.ReplaceAll(columns, ",", " ")) }

// plain makes the values of a row the same whatever engine they come from.
func (t Table) plain() func(row []any) {
	var bools []int
	for i, name := range words(t.Columns) {
		if slices.Contains(words(t.Bools), name) {
			bools = append(bools, i)
		}
	}
	return func(row []any) {
		for _, i := range bools {
			if n, ok := row[i].(int64); ok {
				row[i] = n != 0
			}
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok && b == nil {
				row[i] = []byte{} // as which SQLite's driver gives bytes of which there are none
			}
		}
	}
}

func (t Table) selects(columns string) string {
	return "SELECT " + columns + " FROM " + t.Name + t.where
}

// inserts is a statement that adds some rows at once.
func (t Table) inserts(rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", t.Name, t.Columns)
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
func (d *digest) add(t Table, row []any) {
	h := sha256.New()
	for _, v := range append([]any{t.Name}, row...) {
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
