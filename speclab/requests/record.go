package requests

import "errors"

// maxRecord is how large a recording may become: what reads archives holds them in memory.
const maxRecord = 256 << 20

// recorder writes an archive that is whole after each write: an entry is written over the end, and the end behind it.
type recorder struct {
	to    File  // nil: nothing is recorded
	at    int64 // where the end begins
	some  bool  // whether there is an entry
	ended bool
}

const archiveEnd = "\n]}}\n"

var errRecordFull = errors.New("the file has 256 MiB, and takes no more")

func (r *recorder) begin() error {
	begin := encode(newArchive())
	begin = append(begin[:len(begin)-len("]}}")], '\n')
	r.at = int64(len(begin)) - 1
	return r.write(append(begin[:r.at], archiveEnd...), 0)
}

// add writes an entry. An error is the last one: nothing more is written then.
func (r *recorder) add(entry []byte) error {
	if r.ended || r.to == nil {
		return nil
	}
	text := make([]byte, 0, len(entry)+16)
	if r.some {
		text = append(text, ',')
	}
	text = append(append(text, '\n'), entry...)
	size := int64(len(text))
	if r.at+size > maxRecord {
		r.ended = true
		return errRecordFull
	}
	if err := r.write(append(text, archiveEnd...), r.at); err != nil {
		r.ended = true
		return errors.Join(err, r.restore())
	}
	r.at, r.some = r.at+size, true
	return nil
}

// restore ends the archive where it ended before an entry that was written in part.
func (r *recorder) restore() error {
	return errors.Join(r.to.Truncate(r.at+int64(len(archiveEnd))), r.write([]byte(archiveEnd), r.at))
}

func (r *recorder) write(text []byte, at int64) error {
	if r.to == nil {
		return nil
	}
	_, err := r.to.WriteAt(text, at)
	return err
}

// close ends the recording: an answer that goes on is not in it.
func (r *recorder) close() error {
	r.ended = true
	if r.to == nil {
		return nil
	}
	return r.to.Close()
}
