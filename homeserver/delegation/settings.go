package delegation

import (
	"strings"
)

// setting is one that Synapse refuses together with matrix_authentication_service, or that means nothing any more.
type setting struct {
	key string // at the top

	clashes func(v any, c *Config) bool // v is not nil

	// off names the key inside that is set to false; empty: the setting itself. Where there is no such key, or gone is
	// set, the whole setting is taken out.
	off  string
	gone bool

	why string
}

// clashing are the settings with which Synapse does not start (synapse/config/mas.py, check_config_conflicts;
// experimental.py).
var clashing = []setting{
	{key: "password_config", off: "enabled", clashes: on("enabled", false), why: "passwords are Postern's"},
	{key: "disable_registration", gone: true, clashes: func(v any, _ *Config) bool { return !strtobool(v) },
		why: "accounts are made by Postern (--registration, postern invite)"},
	{key: "enable_registration", clashes: func(v any, c *Config) bool {
		return strtobool(v) && c.value("disable_registration") == nil // which overrules it
	}, why: "accounts are made by Postern (--registration, postern invite)"},
	{key: "user_consent", gone: true, clashes: func(any, *Config) bool { return true },
		why: "terms are Postern's (--terms-url)"},
	{key: "oidc_providers", gone: true, clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern has no OpenID Connect; who logs in that way needs a password: postern user passwd NAME"},
	{key: "oidc_config", off: "enabled", clashes: on("enabled", false),
		why: "Postern has no OpenID Connect; who logs in that way needs a password: postern user passwd NAME"},
	{key: "saml2_config", off: "enabled", clashes: func(v any, _ *Config) bool {
		m := mapping(v)
		return truthy(withDefault(m, "enabled", true)) && (truthy(m["sp_config"]) || truthy(m["config_path"]))
	}, why: "Postern has no SAML; who logs in that way needs a password: postern user passwd NAME"},
	{key: "cas_config", off: "enabled",
		clashes: func(v any, _ *Config) bool { return truthy(v) && truthy(withDefault(mapping(v), "enabled", true)) },
		why:     "Postern has no CAS; who logs in that way needs a password: postern user passwd NAME"},
	{key: "jwt_config", off: "enabled", gone: true, clashes: on("enabled", false),
		why: "Postern takes no JSON web tokens; postern user login-link makes tokens that log in once"},
	{key: "password_providers", gone: true, clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "passwords are Postern's; who has one elsewhere needs a new one: postern user passwd NAME"},
	{key: "ldap_config", off: "enabled", clashes: on("enabled", false),
		why: "passwords are Postern's; who has one elsewhere needs a new one: postern user passwd NAME"},
	{key: "enable_registration_captcha", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "accounts are made by Postern, which asks for an invitation and not for a captcha"},
	{key: "login_via_existing_session", off: "enabled", clashes: on("enabled", false),
		why: "login tokens are Postern's (--login-tokens)"},
	{key: "refresh_token_lifetime", gone: true, clashes: func(v any, _ *Config) bool { return nonZero(v) },
		why: "tokens are Postern's (--session-ttl)"},
	{key: "nonrefreshable_access_token_lifetime", gone: true,
		clashes: func(v any, _ *Config) bool { return nonZero(v) }, why: "tokens are Postern's (--access-ttl-legacy)"},
	{key: "session_lifetime", gone: true, clashes: func(v any, _ *Config) bool { return nonZero(v) },
		why: "sessions are Postern's (--session-ttl)"},
	{key: "enable_3pid_changes", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Synapse does not change e-mail addresses of accounts that are not its own"},
	{key: "experimental_features", off: "msc3861",
		clashes: func(v any, _ *Config) bool { return truthy(mapping(v)["msc3861"]) },
		why:     "this Synapse knows msc3861 no more and does not start with it"},
}

// pointless are the settings that change nothing from then on; they may stay.
var pointless = []setting{
	{key: "registration_shared_secret", clashes: always,
		why: "/_synapse/admin/v1/register is Postern's then, with --expose-admin and " +
			"--registration-shared-secret-file; postern user add makes accounts too"},
	{key: "allow_guest_access", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern has no guests: who was one cannot go on"},
	{key: "registrations_require_3pid", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern asks for no e-mail address; --registration token asks for an invitation"},
	{key: "registration_requires_token", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern asks for an invitation with --registration token (postern invite add); Synapse's do not come"},
	{key: "ui_auth", off: "session_timeout", clashes: func(v any, _ *Config) bool {
		return nonZero(withDefault(mapping(v), "session_timeout", int64(0)))
	}, why: "Postern asks for the password at each operation that needs it"},
	{key: "password_config", off: "policy", clashes: func(v any, _ *Config) bool {
		return truthy(mapping(mapping(v)["policy"])["enabled"])
	}, why: "Postern's are --password-min-length and --password-needs; `postern synapse setup` prints what this says"},
	{key: "email", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern sends no mail: whoever has forgotten a password asks you (postern user passwd NAME); Synapse " +
			"goes on to send notifications"},
	{key: "account_threepid_delegates", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "e-mail addresses and phone numbers can be neither added nor used to log in"},
	{key: "account_validity", clashes: on("enabled", false),
		why: "accounts that are no longer valid are refused by Synapse still, but renewed by nobody"},
	{key: "limit_usage_by_mau", clashes: func(v any, _ *Config) bool { return truthy(v) },
		why: "Postern lets people log in when the month's users are too many; Synapse then refuses what they send"},
}

// felt are the settings by which Synapse changes what is Postern's too.
var felt = []setting{
	{key: "delete_stale_devices_after", clashes: func(v any, _ *Config) bool { return nonZero(v) },
		why: "none, if you want that: whose device is deleted is logged out softly (`postern session events`: " +
			"device_gone); else take it out"},
}

func always(any, *Config) bool { return true }

// on asks for a key inside that is true, as Python has it.
func on(key string, otherwise any) func(any, *Config) bool {
	return func(v any, _ *Config) bool { return truthy(withDefault(mapping(v), key, otherwise)) }
}

// nonZero reports whether a duration is not zero, as Synapse writes it: milliseconds, or a number and a unit.
func nonZero(v any) bool {
	if s, ok := v.(string); ok {
		return strings.ContainsAny(s, "123456789")
	}
	return truthy(v)
}

// name is the setting as a finding names it: with the key inside, if one is there.
func (s setting) name(v any) string {
	if _, there := mapping(v)[s.off]; there {
		return s.key + "." + s.off
	}
	return s.key
}

// inForce walks through the settings of a table that are in the files and clash.
func (c *Config) inForce(table []setting) func(yield func(entry, setting) bool) {
	return func(yield func(entry, setting) bool) {
		for _, s := range table {
			if c.hasClash(s) && !yield(c.top[s.key], s) {
				return
			}
		}
	}
}

// hasClash reports whether a setting is in the files and clashes.
func (c *Config) hasClash(s setting) bool {
	e, there := c.top[s.key]
	if !there {
		return false
	}
	v := understand(e.value)
	return v != nil && s.clashes(v, c)
}

// lineOf is the line of what is wrong.
func (c *Config) lineOf(e entry, s setting) int {
	if s.off != "" {
		if n := in(e.value, s.off); n != nil {
			return n.Line
		}
	}
	return e.key.Line
}
