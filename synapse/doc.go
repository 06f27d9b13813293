// Package synapse calls the homeserver: the few requests under /_synapse/mas by which whoever does the authentication tells Synapse of
// users and devices. It knows nothing of sessions and tokens.
package synapse
