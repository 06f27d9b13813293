// Package appservice reads the registration files by which a homeserver knows its application services, such as
// bridges, and tells whose token a token is and which users are whose. Application Service API v1.19, "Registration".
//
// # What is read
//
// A file is YAML, as Synapse reads it (synapse/config/appservice.py): id, url, as_token, hs_token, sender_localpart and
// namespaces must be there, rate_limited may be. Of the namespaces only `users` means anything to who does logins. What
// is wrong with any of the files is told at once, each with its file and line; never with a token.
//
// # Whose a user is
//
// A service has the user that it sends as, and the users whose whole id an expression of its namespaces matches from
// the start on, which is Python's re.match. The first expression that matches says whether the user is exclusively the
// service's. Python's expressions are taken for Go's where both mean the same, and refused where Go has no such thing
// (look-around, references to groups) or means something else by it. One difference is left: \d, \w, \s and \b know
// ASCII only, where Python knows all of Unicode; a name that people may register is ASCII.
//
// # Tokens
//
// Tokens are kept as SHA-256 and compared in constant time with those of every service.
//
//	services, problems := appservice.Read("example.org", []string{"bridge.yaml"})
//	if service := services.ByToken(token); service != nil && service.Owns("@_irc_bob:example.org") { … }
package appservice
