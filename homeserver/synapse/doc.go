// Package synapse calls Synapse's API for the service that does authentication in its place: the requests below
// /_synapse/mas, which make, change and delete users and devices. It knows nothing of sessions and tokens.
//
// # The calls
//
// Each call is authorized by the secret that both sides share. Its body is a JSON object; Synapse checks the types of
// the fields strictly and ignores unknown fields. Every call may be repeated: to make what exists and to delete what
// does not are successes.
//
//	provision_user             201 made, 200 it existed      never 404; can lock the account
//	delete_user                200                           404 no such user; deletes its devices too
//	reactivate_user            200                           500 before background updates end: ask query_user
//	upsert_device              201 made, 200 it existed      404 no such user; refuses a name of over 100 characters
//	delete_device              204, also if there is none    404 no such user; deletes the encryption keys too
//	is_localpart_available     200 yes, 400 no and why       considers application services and the length too
//	query_user                 200                           404 no such user; says whether the user is deactivated
//	update_device_display_name 200                           404 no such user, or no such device
//	allow_cross_signing_reset  200                           404 no such user; holds for ten minutes
//
// The two questions, is_localpart_available and query_user, take names in ASCII only and refuse others as if something
// were wrong with the question. The rest, whose parameters are JSON, take any name.
//
// # Errors
//
//   - [ErrAway]: it is not known whether Synapse obeyed. It could not be reached, took too long, failed, or something
//     else answered. Try again.
//   - [ErrFailed]: an ErrAway in which Synapse itself says that it failed. Another call may succeed.
//   - [ErrNotFound]: there is no such user.
//   - [Refusal]: Synapse's reason why it will never obey this call. Trying again does not help.
//
// No error contains the secret.
//
// # Limits
//
// The time and the size of an answer are bounded. Redirects are not followed and proxies of the environment not used,
// so the secret goes only to the configured URL. Failed calls are not repeated; package outbox does that.
//
//	c := synapse.New(synapse.Config{URL: "http://127.0.0.1:8008", Secret: secret})
//	err := c.UpsertDevice(ctx, "alice", "GHTYAJCE", nil)
package synapse
