// Package outbox brings the homeserver up to date: what package db notes down with each change of a user or a device, it sends, in order
// for each user, until the homeserver has it.
package outbox
