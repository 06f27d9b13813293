// Package front stands before a homeserver, on the one hostname that clients know: what belongs to authentication goes to Postern's own
// handlers, everything else streams through to the homeserver, byte for byte as it came.
package front
