package passwords

import (
	"bytes"
	"crypto/sha1" // what the list is made of
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// Leaked is a list of the SHA-1 hashes of leaked passwords, as "Have I Been Pwned" gives it away: a line each, HASH or
// HASH:COUNT, sorted by hash. It stays on disk, and a look-up takes some twenty to forty reads of a few bytes.
type Leaked struct {
	file *os.File
	size int64
}

const (
	hexLength = 2 * sha1.Size
	// longestLine is more than a line has: a hash, a colon, a number of 20 digits, and what ends the line.
	longestLine = 64
	samples     = 64 // lines that are looked at when a list is opened
)

// howToGet says where such a list is from.
const howToGet = "download it with: haveibeenpwned-downloader pwnedpasswords --single"

// OpenLeaked opens a list and looks at some of its lines: the first, the last, and lines between them. An error says
// what to do.
func OpenLeaked(path string) (*Leaked, error) {
	info, err := os.Stat(path) // before it is opened: a named pipe would wait for somebody who writes
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, howToGet)
	}
	l := &Leaked{file: file}
	switch {
	case info.Size() == 0:
		err = errors.New("it is empty")
	default:
		l.size = info.Size()
		err = l.look()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no list of leaked passwords: %w; %s", path, err, howToGet),
			file.Close())
	}
	return l, nil
}

// Close closes the file.
func (l *Leaked) Close() error { return l.file.Close() }

// look refuses a file that is not sorted by hash, as far as some of its lines show.
func (l *Leaked) look() error {
	var last line
	for i := range int64(samples + 1) {
		var buffer [2 * longestLine]byte
		now, err := l.lineAt(buffer[:], min(l.size/samples*i, l.size-1))
		if i == samples {
			now, err = l.lineAt(buffer[:], l.size-1)
		}
		switch {
		case err != nil:
			return err
		case i > 0 && now.start != last.start && bytes.Compare(last.hash[:], now.hash[:]) >= 0:
			return fmt.Errorf("its lines are not sorted by hash, see the bytes %d and %d", last.start, now.start)
		}
		last = now
	}
	return nil
}

// Has reports whether a password is in the list.
func (l *Leaked) Has(password string) (bool, error) {
	wanted := sha1.Sum([]byte(password))
	var buffer [2 * longestLine]byte
	for low, high := int64(0), l.size; low < high; {
		now, err := l.lineAt(buffer[:], low+(high-low)/2)
		if err != nil {
			return false, fmt.Errorf("%s: %w", l.file.Name(), err)
		}
		switch bytes.Compare(now.hash[:], wanted[:]) {
		case 0:
			return true, nil
		case -1:
			low = now.end
		default:
			high = now.start
		}
	}
	return false, nil
}

// line is one of a list. It ends where the next one starts.
type line struct {
	start, end int64
	hash       [sha1.Size]byte
}

// lineAt reads the line that holds a byte of the file.
func (l *Leaked) lineAt(buffer []byte, at int64) (found line, err error) {
	from := max(at-longestLine, 0)
	n, err := l.file.ReadAt(buffer, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return line{}, err
	}
	text := buffer[:n]
	if at-from >= int64(n) {
		return line{}, io.ErrUnexpectedEOF // it was longer when it was opened
	}
	begin := bytes.LastIndexByte(text[:at-from], '\n') + 1
	end := bytes.IndexByte(text[at-from:], '\n') + int(at-from) + 1
	if end == int(at-from) {
		end = n // the last line may lack its end
	}
	found.start, found.end = from+int64(begin), from+int64(end)
	if text = bytes.TrimRight(text[begin:end], "\r\n"); !found.read(text) {
		return line{}, fmt.Errorf("there is no SHA-1 hash at byte %d; the file may be cut off there, or be another one",
			found.start)
	}
	return found, nil
}

// read takes the hash of a line.
func (n *line) read(text []byte) bool {
	hash, _, _ := bytes.Cut(text, []byte(":"))
	if len(hash) != hexLength {
		return false
	}
	_, err := hex.Decode(n.hash[:], hash)
	return err == nil
}
