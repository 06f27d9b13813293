// Package front stands before a homeserver, on the one hostname that clients know: what belongs to authentication goes
// to Postern's own handlers, everything else streams through to the homeserver, byte for byte as it came.
//
// # A request's way
//
//  1. What is nobody's business from outside is not found: /_synapse/mas ever, /_synapse/admin unless the operator
//     exposes it (closed.go).
//  2. What another part of Postern has to look at first goes there, and comes back here if it likes
//     ([Config.Intercept]).
//  3. What Postern implements goes to its handlers, whatever release the client writes before it ([Config.Name],
//     [Config.Mine]); unless it is asked with a token that is for the homeserver alone ([Config.Through]).
//  4. Everything else streams. If it brings an access token, that is checked first ([Config.Exchange]), and the
//     homeserver gets the session's own plain token instead. A token that is not Postern's passes untouched, and so
//     does a request without one.
//  5. When the homeserver answers M_UNKNOWN_TOKEN to a token that was good, Postern is asked once more what the client
//     shall hear: it must not forget its session because two servers disagreed for a moment (review.go).
//
// # Laws
//
//   - The path and the query arrive as they were sent, but for an access token in the query, which moves into the
//     header.
//   - Nothing is held back: what either side writes is passed on at once, and memory does not grow with what is passed.
//   - Who goes is let go: when the client hangs up, its request to the homeserver ends. A server that stops ends what
//     only waits.
//   - Where a client is, the homeserver hears from Postern alone: what strangers wrote into X-Forwarded-For does not
//     pass.
//   - A client that stalls is hung up on, though a request may last as long as it likes (deadline.go).
//   - Protocols are not switched: behind an upgraded connection nothing could be judged.
//
// What it does not do: choose between several homeservers or workers (a proxy behind it may), keep answers, limit
// rates.
//
//	f := front.New(front.Config{Homeserver: homeserver, Real: server.Handler(), Exchange: …})
//	defer f.Close()
//	http.ListenAndServe("127.0.0.1:8008", f)
package front
