package db

import "context"

// ImportUser adds accounts that come from elsewhere, all in one transaction, so the caller makes batches. Who exists is
// skipped and named, never changed: a second run does nothing.
func (d *DB) ImportUser(ctx context.Context, users []User) (added int, skipped []string, err error) {
	type result struct {
		added   int
		skipped []string
	}
	r, err := write(ctx, d.writer, "", func(t *tx) (r result, err error) {
		for _, u := range users {
			made, err := t.createUser(u)
			if err != nil {
				return result{}, err
			}
			if made {
				r.added++
			} else {
				r.skipped = append(r.skipped, u.Localpart)
			}
		}
		return r, nil
	})
	return r.added, r.skipped, err
}
