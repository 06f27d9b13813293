package doctor

import (
	"crypto/subtle"
	"fmt"
	"os"

	"postern/homeserver/delegation"
)

// secrets reads the secret that both sides have, and compares it with the one that Postern is started with.
func (x *examination) secrets() {
	if !x.delegated {
		return
	}
	d := x.Synapse.Delegation()
	theirs, ours := d.SecretPath, x.SecretFile
	switch {
	case d.Secret != "":
		x.secret = d.Secret
		x.warn(fmt.Sprintf("%s:%d: the secret stands in the configuration itself", d.File, d.Line),
			"put it into a file, and name that with secret_path in the place of secret")
	case theirs == "":
		x.problem(fmt.Sprintf("%s:%d: matrix_authentication_service has no secret", d.File, d.Line),
			"postern synapse setup --write")
	default:
		x.secret = x.readSecret(theirs)
	}
	if ours == "" || ours == theirs || x.secret == "" {
		return
	}
	secret := x.readSecret(ours)
	if secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(x.secret)) == 0 {
		x.problem(fmt.Sprintf("the secrets in %s (Postern) and %s (Synapse) differ", ours, d.File),
			"start Postern with --homeserver-secret-file "+theirs)
	}
}

// readSecret reads a file of the secret and looks at who else may. It returns nothing if the file cannot be used.
func (x *examination) readSecret(path string) string {
	secret, err := delegation.ReadSecret(path)
	if err != nil {
		x.problem(err.Error(), "run this as a user who may read it, or make it anew with `postern synapse setup "+
			"--write`")
		return ""
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		x.problem(path+" can be read by everybody on this machine", "chmod o-rwx "+path)
	} else {
		x.ok("secret in %s", path)
	}
	return secret
}
