// Package homeserver is what a login server does because a homeserver stands behind it: Synapse, which leaves
// authentication to Postern by its matrix_authentication_service setting and asks it about tokens.
//
// It joins a [handlers.Server] at three places and serves two more by itself:
//
//   - [Peer] (peer.go): a login is answered after the homeserver knows the device, an account is made when the
//     homeserver knows the user. It implements handlers.Peer.
//   - Package imported: tokens that the homeserver gave before people moved are good until they are refreshed.
//   - [Peer.Flows] (services.go): application services log in as their users.
//   - [Gate] (gate.go): judges the token of each request that streams to the homeserver, and takes part in the few
//     requests that need both servers (amend.go): application services register users and delete devices
//     (services_register.go, services.go), cross-signing keys are replaced after the password (crosssigning.go).
//     The requests of the homeserver's admin API are watched (adminapi.go), and its refusals looked into (standing.go):
//     what its administrators change is changed here.
//   - [Gate.Internal] (introspect.go): answers the homeserver's own questions.
//
// [Start] makes the peer, and lets package outbox begin to tell the homeserver of what has changed.
//
// The folders below hold the rest: front streams, amend changes what streams, outbox queues what the homeserver must
// learn and sends it, synapse makes its calls, delegation changes its configuration, appservice reads registrations,
// importer brings accounts along, reconcile settles what differs.
//
// # Laws
//
//   - A token never reaches the homeserver before its device does, and no login is answered that the homeserver does
//     not know of.
//   - A homeserver that is away costs a 503 and nobody's session.
//   - Its word counts: who is deactivated there, and whose device is deleted there, is so here. What it was not told
//     yet it is told first.
//   - What is not changed in a request passes byte for byte: it may be signed.
//
// What it does not defend against: a homeserver that lies, and whoever holds the shared secret.
package homeserver
