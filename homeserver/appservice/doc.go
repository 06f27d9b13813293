// Package appservice reads the registration files of a homeserver's application services, such as bridges. It finds the
// service that a token belongs to, and the users that a service may act as. Application Service API v1.19,
// "Registration".
//
// # Files
//
// A file is YAML, as Synapse reads it (synapse/config/appservice.py): id, url, as_token, hs_token, sender_localpart and
// namespaces are required, rate_limited is optional. Of the namespaces only `users` matters to logins. All problems of
// all files are reported together, each with its file and line, and never with a token.
//
// # Users of a service
//
// A service may act as its sender, and as each user whose whole id begins with a match of a regular expression of its
// namespaces (Python's re.match). The first expression that matches says whether the user is exclusively the service's.
// Python's expressions are compiled as Go's where both mean the same, and refused where Go has no equivalent
// (look-around, references to groups) or another meaning. One difference remains: \d, \w, \s and \b match ASCII only,
// and all of Unicode in Python. The names that people may register are ASCII.
//
// # Tokens
//
// Tokens are kept as SHA-256. A token is compared with those of all services, in constant time.
//
//	services, problems := appservice.Read("example.org", []string{"bridge.yaml"})
//	if service := services.ByToken(token); service != nil && service.Owns("@_irc_bob:example.org") { … }
package appservice
