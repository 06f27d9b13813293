package delegation

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Flag is one with which `postern serve` is started.
type Flag struct {
	Name  string // without the dashes
	Value string // empty: it is a switch
	File  string // its name for systemd, if the value is a file of Synapse's, which Postern's user may not read itself
}

// Carried are the flags that have Postern do what this configuration has Synapse do, application services and secrets
// left out. Setup takes some of the settings away, so the configuration of before counts.
func (c *Config) Carried() (flags []Flag, err error) {
	was, err := c.Original()
	if err != nil {
		return nil, err
	}
	for _, d := range []struct{ setting, flag string }{{"session_lifetime", "session-ttl"},
		{"refreshable_access_token_lifetime", "access-ttl"},
		{"nonrefreshable_access_token_lifetime", "access-ttl-legacy"}} {
		if life := duration(was.value(d.setting)); life > 0 {
			flags = append(flags, Flag{Name: d.flag, Value: brief(life)})
		}
	}
	if truthy(was.value("login_via_existing_session", "enabled")) {
		flags = append(flags, Flag{Name: "login-tokens"})
	}
	if who := was.registration(); who != "" {
		flags = append(flags, Flag{Name: "registration", Value: who})
	}
	return append(flags, was.passwordPolicy()...), nil
}

// passwordPolicy is what a new password must have; which setting says it is the same at Postern.
func (c *Config) passwordPolicy() (flags []Flag) {
	policy := mapping(c.value("password_config", "policy"))
	if !truthy(policy["enabled"]) {
		return nil
	}
	if n, ok := policy["minimum_length"].(int64); ok && n > 0 {
		flags = append(flags, Flag{Name: "password-min-length", Value: strconv.FormatInt(n, 10)})
	}
	var needs []string
	for _, kind := range []string{"digit", "symbol", "uppercase", "lowercase"} {
		if truthy(policy["require_"+kind]) {
			needs = append(needs, kind)
		}
	}
	if len(needs) > 0 {
		flags = append(flags, Flag{Name: "password-needs", Value: strings.Join(needs, ",")})
	}
	return flags
}

// registration is who may register, as Postern says it; empty: nobody, or those whom something proves that Postern has
// not got, such as an e-mail address.
func (c *Config) registration() string {
	open := strtobool(c.value("enable_registration"))
	if v := c.value("disable_registration"); v != nil {
		open = !strtobool(v)
	}
	switch {
	case open && c.has("registration_requires_token"):
		return "token"
	case open && c.has("enable_registration_without_verification") && !c.has("registrations_require_3pid") &&
		!c.has("enable_registration_captcha"):
		if c.approves() {
			return "approval"
		}
		return "open"
	}
	return ""
}

// approves reports whether a new account waits for an administrator (MSC3866, synapse/config/experimental.py).
func (c *Config) approves() bool {
	msc := mapping(c.value("experimental_features", "msc3866"))
	return truthy(msc["enabled"]) && truthy(msc["require_approval_for_new_accounts"])
}

var lifetime = regexp.MustCompile(`^([0-9]+)([smhdwy]?)$`)

// duration reads one as Synapse writes it: milliseconds, or a number and a unit (Config.parse_duration). Zero if it is
// none.
func duration(v any) time.Duration {
	text, _ := v.(string)
	if n, ok := v.(int64); ok {
		text = strconv.FormatInt(n, 10)
	}
	found := lifetime.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	unit := map[string]time.Duration{"": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour}[found[2]]
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil || n > int64(1<<63-1)/int64(unit) {
		return 0
	}
	return time.Duration(n) * unit
}

// brief writes 24h and not 24h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
