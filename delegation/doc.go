// Package delegation reads a Synapse's configuration files: what in them keeps Synapse from leaving authentication to another server, what
// has to be changed for it, and how to take that back. It changes text, and never the order or the comments of what it leaves.
package delegation
