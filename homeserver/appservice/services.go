package appservice

import (
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
)

// Services are the application services of a homeserver. A nil *Services has none.
type Services struct{ all []*Service }

// Service is one application service.
type Service struct {
	ID          string
	Sender      string // the whole id of the user as which it acts by itself
	RateLimited bool   // whether the rate limits apply to its users

	token [sha256.Size]byte
	users []namespace

	file  string
	lines map[string]int // of its fields
}

// namespace is a set of user ids.
type namespace struct {
	exclusive bool
	users     *regexp.Regexp
}

// Any reports whether there are services at all.
func (s *Services) Any() bool { return s != nil && len(s.all) > 0 }

// ByToken returns the service with this as_token, or nil. The time that it takes does not depend on which it is.
func (s *Services) ByToken(token string) (found *Service) {
	if s == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(token))
	for _, service := range s.all {
		if subtle.ConstantTimeCompare(service.token[:], sum[:]) == 1 {
			found = service
		}
	}
	return found
}

// Exclusive reports whether a user, by the whole id, belongs to a service alone. People cannot register such a name.
func (s *Services) Exclusive(userID string) bool {
	if s == nil {
		return false
	}
	for _, service := range s.all {
		if userID == service.Sender {
			return true
		}
		if space := service.space(userID); space != nil && space.exclusive {
			return true
		}
	}
	return false
}

// Owns reports whether the service may act as a user, by the whole id.
func (s *Service) Owns(userID string) bool { return userID == s.Sender || s.space(userID) != nil }

// space is the first namespace that contains the user, or nil.
func (s *Service) space(userID string) *namespace {
	for i := range s.users {
		if s.users[i].users.MatchString(userID) {
			return &s.users[i]
		}
	}
	return nil
}
