package handlers

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"
)

// How a stored hash is compared can be read from how it begins. New passwords get the first kind; the others came with
// accounts from elsewhere, and stay until the next login.
//
//	$argon2id$v=19$m=…       argon2id of the password in the normal form NFKC
//	$2b$12$…                 bcrypt of the password as it was sent: Dendrite, and others
//	synapse$2b$12$…          bcrypt of the password in NFKC, followed by the pepper: Synapse
//	!                        no password leads there
const (
	// SynapseHash stands before a bcrypt hash that Synapse made.
	SynapseHash = "synapse"
	// argonHash stands before a hash of the kind that new passwords get.
	argonHash = "$argon2id$"
	// NoPassword is the hash of an account that nobody can log in to by password.
	NoPassword = "!"
)

// bcryptForm is a bcrypt hash of the corrected algorithm: 2a, 2b and 2y name the same one. 2x marks hashes of a bug of
// 2011, and plain 2 an older one.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// A hash that somebody hands in also says how much work a login is to be.
const (
	maxBcryptCost   = 16      // ≈ 4 s; Synapse and Dendrite make 12 and 10
	maxArgonMemory  = 1 << 18 // 256 MiB in KiB, as argon2id counts
	maxArgonPasses  = 64
	maxArgonThreads = 64
)

// CheckHash says why a hash from elsewhere cannot be the hash of an account here, or nil. It never repeats the hash.
func CheckHash(hash string) error {
	if hash == NoPassword {
		return nil
	}
	if form := bcryptForm.FindStringSubmatch(strings.TrimPrefix(hash, SynapseHash)); form != nil {
		if cost, err := strconv.Atoi(form[1]); err != nil || cost < bcrypt.MinCost || cost > maxBcryptCost {
			return errors.New("bcrypt of a cost that is not supported")
		}
		return nil
	}
	p, _, key, err := argon2id.DecodeHash(hash)
	switch {
	case err != nil, !strings.HasPrefix(hash, argonHash):
		return errors.New("unknown kind of password hash")
	case p.Memory > maxArgonMemory, p.Iterations < 1 || p.Iterations > maxArgonPasses, p.Parallelism < 1 ||
		p.Parallelism > maxArgonThreads:
		return errors.New("argon2id of a cost that is not supported")
	case len(key) < 16:
		return errors.New("argon2id hash that is too short to be safe")
	}
	return nil
}

// normal is the form in which passwords are hashed, as Synapse does it: on which keyboard and system an ü was typed
// makes no difference. Unicode Standard Annex #15.
func normal(password string) string { return norm.NFKC.String(password) }

// compare reports whether the password is the one behind the hash, and whether new passwords are hashed better by now.
func (h *hasher) compare(password, hash string) (match, outdated bool, err error) {
	switch {
	case strings.HasPrefix(hash, argonHash):
		return compareArgon(password, hash, h.cost)
	case strings.HasPrefix(hash, SynapseHash+"$"):
		password = normal(password)
		match, err = compareBcrypt(password+h.pepper, hash[len(SynapseHash):])
	case bcryptForm.MatchString(hash):
		match, err = compareBcrypt(password, hash)
	default:
		return false, false, errors.New("unknown kind of password hash")
	}
	return match, !cutOff(password), err
}

// cutOff reports whether bcrypt has not seen all of a password. It reads 72 bytes, of which the last one that counts
// ends the password, and where it ends it begins anew: so it takes others for this one, that are longer or have a NUL
// in them. Which of them the owner chose nobody knows, and to store one that was mistyped would lock the owner out. A
// pepper is not the owner's to mistype.
func cutOff(password string) bool {
	return len(password) >= bcryptSees || strings.ContainsRune(password, 0)
}

const bcryptSees = 72

// compareBcrypt looks at the first 72 bytes, as bcrypt does, and Synapse with it: what is longer, the pepper included,
// is cut off.
func compareBcrypt(password, hash string) (bool, error) {
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	switch {
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("password hash: %w", err)
	}
	return true, nil
}

// compareArgon tries the normal form, and then what was sent if that is something else: a hash from elsewhere may be of
// that.
func compareArgon(password, hash string, cost *argon2id.Params) (match, outdated bool, err error) {
	match, p, err := argon2id.CheckHash(normal(password), hash)
	if err == nil && !match && normal(password) != password {
		match, p, err = argon2id.CheckHash(password, hash)
	}
	if err != nil {
		return false, false, fmt.Errorf("password hash: %w", err)
	}
	return match, work(p) < work(cost), nil
}

// ours reports whether a hash costs what new ones cost, and so what the dummy costs.
func (h *hasher) ours(hash string) bool {
	if !strings.HasPrefix(hash, argonHash) {
		return false
	}
	p, _, _, err := argon2id.DecodeHash(hash)
	return err == nil && p.Memory == h.cost.Memory && p.Iterations == h.cost.Iterations &&
		p.Parallelism == h.cost.Parallelism
}

// work is how much a guess costs, in KiB that are written.
func work(p *argon2id.Params) uint64 { return uint64(p.Memory) * uint64(p.Iterations) }

// work is how much a comparison with a hash costs, in comparisons with new ones: bcrypt of the usual cost ten of them.
// It is 1 for an account that does not exist.
func (h *hasher) work(hash string) int {
	if form := bcryptForm.FindStringSubmatch(strings.TrimPrefix(hash, SynapseHash)); form != nil {
		if cost, err := strconv.Atoi(form[1]); err == nil && cost <= maxBcryptCost {
			return max(1, 10<<cost>>usualBcryptCost)
		}
	}
	if p, _, _, err := argon2id.DecodeHash(hash); err == nil {
		return max(1, int(work(p)/work(h.cost)))
	}
	return 1
}

const usualBcryptCost = 12
