// Package adminapi is what becomes of the requests of Synapse's admin API, by which the tools that people have make
// accounts, set passwords and invite.
//
// Synapse leaves accounts to this server, so it refuses those requests or does nothing for them. Each of them is
// therefore one of these kinds, see [Calls]:
//
//   - Answered: this server answers, in Synapse's format and with Synapse's errors, as Synapse would without it.
//   - Both: this server and Synapse have a part each. Synapse checks the request and does its part first, so what it
//     refuses changes nothing here; then this server does its own.
//   - Followed: Synapse does all of it, and this server does the same before the administrator is answered.
//   - Corrected: Synapse answers, and what this server is responsible for in that is overwritten.
//
// All others pass. docs/admin-tools.md lists them, and a test holds it to this package.
//
// # Laws
//
//   - Who may ask: an access token of a session whose account is marked as administrator, that is good for the method
//     and the path. POST v1/register has no token: a message authentication code by the shared secret takes its place.
//   - An account is made with its password, its mark and what the homeserver must be told of it, in one transaction.
//     Whatever is asked for beside that is done when the request is repeated: a request that got no answer may be.
//   - A password never reaches Synapse.
//
// What it does not do: import hashes, keep phone numbers, or renew accounts.
package adminapi
