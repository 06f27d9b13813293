// Package front is the reverse proxy before a homeserver. Clients know one hostname; Postern's handlers answer what
// belongs to authentication there, and everything else is streamed to the homeserver, byte for byte as it came.
//
// # How a request is answered
//
//  1. /_synapse/mas is always 404, and /_synapse/admin is unless the operator exposes it (closed.go).
//  2. [Login.Operation] is asked once what the request means: the current name of its path, whatever release the
//     client writes in it, and who answers it.
//  3. If the operation has an [Operation.Amend], that gets the request first and passes it on.
//  4. If the operation has a Handler, that answers. Otherwise the request is streamed to the homeserver (stream.go).
//     Its access token is checked before that and replaced by the session's own plain token ([Login.Exchange]). A token
//     that is not Postern's passes unchanged, and so does a request without one. Where the homeserver needs no token,
//     it gets none in place of one that is not good ([Operation.Open]).
//  5. The homeserver's answer is looked at where it must be (review.go): M_UNKNOWN_TOKEN for a token that is good would
//     make a client delete its session because two servers disagree for a moment.
//
// # Laws
//
//   - The path and the query arrive as they were sent, except for an access token in the query, which moves into the
//     Authorization header.
//   - Nothing is buffered: what either side writes is passed on at once, and memory does not grow with the length of a
//     body. Only the JSON answers that are looked at are read whole, up to 1 MiB, and the first 32 KiB of a body that
//     comes without a good token.
//   - The homeserver is asked when there is something to send: a request with a body holds no connection to it before
//     its body begins and, without a good token, before those 32 KiB have come or the body is whole. The body of such a
//     request has to come within a minute, and a second more for each 16 KiB.
//   - A request that changes nothing is sent again if the homeserver has just closed the connection; no other is. What
//     the homeserver sends unasked is nobody's answer (pool.go).
//   - When the client closes its connection, its request to the homeserver ends. When the server stops, requests end
//     that only wait; uploads and downloads may finish. A /sync that waits ends at once, without news (poll.go). Those
//     that wait also end when their session does or is locked, within a second (watch.go).
//   - The homeserver gets the client's address from Postern alone: X-Forwarded-For of a request is replaced.
//   - A client that neither sends nor reads for [Config.Patience] is disconnected; the request as a whole may take any
//     time (deadline.go).
//   - No connection is upgraded to another protocol: the tokens inside could not be checked.
//
// It does not choose between several homeservers or workers (a proxy behind it can), cache, or limit rates.
//
//	f := front.New(front.Config{Homeserver: url, Login: login, Stopping: ctx, …})
//	defer f.Close()
//	http.ListenAndServe("127.0.0.1:8008", f)
package front
