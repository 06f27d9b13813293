// Package protocol holds the rules of Matrix's OAuth 2.0 API that need neither a database nor a token: what a client
// may register, where a browser may be sent back to, what an authorization request asks for, and which verifier fits a
// challenge. Everything here is a function of its arguments.
//
// # The parts
//
//   - [Register] reads a client's metadata, holds them against the rules of RFC 7591 and of the Client-Server API,
//     "Client registration", and normalises them. A client's id is computed from the result, so registering again gives
//     the same id and costs nothing ([Client.ID]).
//   - [Rules.Admits] says whether the operator wants a client.
//   - [Client.Redirects] says whether a redirect URI is one that the client registered.
//   - [ParseScope] reads the scope of a request: the whole client-server API for one device.
//   - [ParseAuthorization] reads an authorization request; [Authorization.Answer] is where the browser goes afterwards.
//   - [Challenge.Fits] is PKCE, by S256 alone.
//
// # Laws
//
//   - Nothing is sent to a redirect URI before it was found among those of the client (RFC 9700, section 4.1).
//   - A refusal names the field, its value and the rule that it breaks: whoever writes a client reads it.
//   - What a client sends that the specification does not know is ignored, and never an error.
//   - The answer names this server (RFC 9207), so that a client that talks to several cannot be confused.
package protocol
