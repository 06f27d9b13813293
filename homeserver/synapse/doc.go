// Package synapse calls the homeserver: the few requests under /_synapse/mas by which whoever does the authentication
// tells Synapse of users and devices. It knows nothing of sessions and tokens.
//
// # The calls
//
// Each is authorized by the secret that both sides have. A body is a JSON object whose types are checked strictly;
// fields that Synapse does not know it ignores. All of them may be repeated: what is there already is a success, and so
// is what is gone already.
//
//	provision_user             201 made, 200 it was there    404 never; a locked account may be told with it
//	delete_user                200                           404 no such user; its devices go too
//	reactivate_user            200                           500 on SQLite, after it has taken effect or before: ask query_user
//	upsert_device              201 made, 200 it was there    404 no such user; a display name of more than 100 characters is refused
//	delete_device              204, also if there is none    404 no such user; the device's keys are lost
//	is_localpart_available     200 yes, 400 no and why       asks about application services' names and length too
//	query_user                 200                           404 no such user; a deactivated one is told as such
//	allow_cross_signing_reset  200                           404 no such user; in force for ten minutes
//
// # Failures
//
// ErrAway says that nothing is known of what came of a call: Synapse could not be reached, took too long, failed, or
// answered what is no answer. Try again. ErrFailed is the ErrAway of a Synapse that was there and said so: another call
// may do better. ErrNotFound says that there is no such user. A Refusal is Synapse's own word, and trying again does
// not help. No error holds the secret.
//
// # What it does not do
//
// Answers are bounded in time and size, redirects are not followed, and no proxy of the environment is used: the secret
// goes where the operator said and nowhere else. It does not retry; see package outbox.
//
//	c := synapse.New(synapse.Config{URL: "http://127.0.0.1:8008", Secret: secret})
//	err := c.UpsertDevice(ctx, "alice", "GHTYAJCE", nil)
package synapse
