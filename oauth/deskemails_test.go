package oauth

import (
	"fmt"
	"testing"

	"postern/db"
	"postern/handlers"
)

// TestDeskEmails: an account is given mail addresses, after a page that says what that means, and they are taken away.
// An address is one account's, and whose it is an operator reads.
func TestDeskEmails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.account("bob")
	at := personAt("bob")
	page := s.says(b.at(at), 200, "Mail addresses", "The account has no mail address.", `value="give email"`)
	give := func(address string) answer { return b.press(at, page, "do", "give email", "address", address) }
	s.says(give("no address"), 403, "This is not a mail address.")
	s.clock.Step(proofLife)
	ask := s.says(give(" Bob@Example.org"), 200, "@bob:example.org", "Bob@Example.org", "counts as confirmed",
		`type="password"`)
	s.says(b.press(at, ask, "do", "give email", "password", "wrong"), 403, "The password is wrong.", "Bob@Example.org")
	if has, err := s.db.Emails(t.Context(), "bob"); err != nil || len(has) != 0 {
		t.Fatalf("without a proof bob has %v, %v", has, err)
	}
	b.done(b.press(at, ask, "do", "give email", "address", "Bob@Example.org", "meant", "yes", "password", password),
		"The mail address is added.", "bob@example.org", "A mail address was added", "desk: alice, from 127.0.0.1")
	e, err := s.db.Email(t.Context(), "bob@example.org")
	if err != nil || e.Localpart != "bob" || !e.Validated.Equal(s.clock.Now()) {
		t.Errorf("the address is %+v, %v", e, err)
	}
	s.account("carol")
	of := personAt("carol")
	s.says(b.press(of, b.at(of), "do", "give email", "address", "BOB@example.org", "meant", "yes"), 403,
		"@bob:example.org has this mail address.")
	for i := 1; i < db.MaxEmails; i++ {
		s.must(handlers.GiveAddress(t.Context(), s.db, "bob", fmt.Sprintf("%d@example.org", i), s.clock.Now()))
	}
	s.says(b.press(at, page, "do", "give email", "address", "more@example.org", "meant", "yes"), 403,
		"Remove one first")
	ask = s.says(b.press(at, page, "do", "take email", "address", "bob@example.org"), 200, "Remove this address",
		"bob@example.org", "No link for a forgotten password")
	for range 2 { // sent twice
		b.done(b.press(at, ask, "do", "take email", "address", "bob@example.org", "meant", "yes"),
			"The mail address is removed.")
	}
	if _, err := s.db.Email(t.Context(), "bob@example.org"); err != db.ErrNotFound {
		t.Errorf("the address is there, %v", err)
	}
	_, err = s.db.Deactivate(t.Context(), "carol", s.clock.Now(), false)
	s.must(err)
	s.lacks(s.says(b.at(of), 200), `value="give email"`)
	s.says(b.press(of, page, "do", "give email", "address", "c@example.org", "meant", "yes"), 403, "is deactivated")
	s.order(s.German(b, of), ">Mailadressen</h2>", "Das Konto hat keine Mailadresse.")
}
