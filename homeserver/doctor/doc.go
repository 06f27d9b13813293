// Package doctor examines a Synapse and the Postern that is, or will be, a reverse proxy for it: whether Synapse's
// configuration lets Postern have the accounts, whether each side reaches the other and takes its secret, and whether
// both have the same accounts and devices.
//
// # Findings
//
// Examine returns sections of findings. A finding is OK, a Warning or a Problem; the last two say what to do about it.
// While Synapse still has its accounts itself, much that would be a problem afterwards is a warning: `postern synapse
// setup` changes it, or the switch does.
//
// # Laws
//
//   - It changes nothing: it reads Synapse's configuration and database, Postern's database, the two secrets and the
//     master key, and sends a few requests that have no effect: about an account and a token that do not exist, and one
//     with a token of a session that is there, made for a minute, whose use is not noted.
//   - No finding holds a secret. It may hold text that others wrote, such as user ids; the caller makes sure that it
//     cannot control a terminal.
//   - A side that does not answer is a finding and not an error. Requests take five seconds at most, use no proxy of
//     the environment and follow no redirect.
//
// # What it does not see
//
// The proxy before Postern, the configuration of workers, and what Postern was started with, other than by asking it.
//
// # Usage
//
//	config, err := delegation.Read(files)
//	for _, section := range doctor.Examine(ctx, doctor.Config{Synapse: config, Listen: "127.0.0.1:8008", …}) { … }
package doctor
