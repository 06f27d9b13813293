package appservice

import (
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
)

// Services are all application services of a homeserver. The nil Services has none.
type Services struct{ all []*Service }

// Service is one application service.
type Service struct {
	ID          string
	Sender      string // the whole id of the user that it sends as
	RateLimited bool   // whether its users are held to the limits of everybody

	token [sha256.Size]byte
	users []namespace

	file string
	at   map[string]int // the lines of its fields
}

// namespace is an expression for user ids.
type namespace struct {
	exclusive bool
	users     *regexp.Regexp
}

// Any reports whether there are services at all.
func (s *Services) Any() bool { return s != nil && len(s.all) > 0 }

// ByToken finds the service whose as_token it is, or nil. It takes the same time whichever it is.
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

// Exclusive reports whether a user is one service's and nobody else's, so that people cannot register the name.
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

// Owns reports whether a user, by the whole id, is one that the service may act as.
func (s *Service) Owns(userID string) bool { return userID == s.Sender || s.space(userID) != nil }

// space is the first namespace that has the user.
func (s *Service) space(userID string) *namespace {
	for i := range s.users {
		if s.users[i].users.MatchString(userID) {
			return &s.users[i]
		}
	}
	return nil
}
