package delegation

import "regexp"

// secretValue is a value whose key says that it is one, on the same line. A path is none.
var secretValue = regexp.MustCompile(
	`(?i)((?:secret|password|passwd|pepper|private_key|token|smtp_pass|bind_pw|recaptcha_private_key)` +
		`[a-z_]*["']?\s*:\s+)([^\s#].*)$`)

var harmless = regexp.MustCompile(
	`(?i)(_path|_file|_uri|_url|_template|_lifetime|_endpoint|_requires_token|_providers?|_config|` +
		`without_verification|_enabled)["']?\s*:|:\s+(true|false|null|yes|no|[{&*].*)?(\s*#.*)?$`)

// hide puts dots in the place of what may be a secret, for it goes to a terminal and from there to anywhere.
func hide(line string) string {
	if harmless.MatchString(line) && !flowSecret.MatchString(line) {
		return line
	}
	if flowSecret.MatchString(line) {
		return flowSecret.ReplaceAllString(line, "$1…")
	}
	return secretValue.ReplaceAllString(line, "$1…")
}

// flowSecret is the same inside of braces.
var flowSecret = regexp.MustCompile(
	`(?i)([{,]\s*["']?[a-z_]*(?:secret|password|pepper|private_key)["']?\s*:\s*)("[^"]*"|'[^']*'|[^,}]+)`)
