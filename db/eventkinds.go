package db

import "slices"

// The kinds of events. Each is written in the transaction of what it tells of, and none holds a token or a password. A
// refresh writes none.
const (
	EventReplay     = "replay"      // a refresh token was replayed, which logs the session out softly
	EventKeyRetired = "key_retired" // a root key was retired, which logs the session out softly

	// an authorization code, or a device code, was redeemed twice, which logs the session of the first time out softly
	EventCodeReplay = "code_replay"
	// the homeserver does not know a device any more that it had been told of, whose session is logged out softly
	EventDeviceGone = "device_gone"

	EventCaughtUp = "caught_up" // a token was newer than its session: the database had lost commits

	EventLogin     = "login"      // a session began
	EventNewDevice = "new_device" // … on a device that had none
	EventLogout    = "logout"     // a session ended, whoever ended it

	EventTokenIssued = "token_issued" // a token for a bot was made, which is a session
	EventTokenEnded  = "token_ended"  // … was ended, whoever ended it

	EventBrowser = "browser_signed_in" // on the server's pages; its session is the browser's id

	EventCreated = "created" // an account was made, not imported
	EventWaiting = "waiting" // an account was asked for, and waits for an operator
	// … was approved, which has made it
	EventApproved = "approved"
	// … was rejected, by an operator or, without an agent, since nobody has approved it in time
	EventRejected    = "rejected"
	EventPassword    = "password_changed"
	EventDeactivated = "deactivated"
	EventReactivated = "reactivated"
	EventLocked      = "locked"
	EventUnlocked    = "unlocked"
	EventAdminOn     = "admin_on" // the account may administer the homeserver
	EventAdminOff    = "admin_off"

	EventFactorAdded    = "factor_added" // a second factor of the account
	EventFactorRemoved  = "factor_removed"
	EventFactorsCleared = "factors_cleared" // … all of them, by an operator
	EventPasskeyCopied  = "passkey_copied"  // … a passkey's signature counter went back: it was refused
	EventRecoveryMade   = "recovery_made"   // recovery codes were made, in place of those that there were
	EventRecoveryUsed   = "recovery_used"   // … one was used

	EventEmailAdded   = "email_added" // a mail address of the account
	EventEmailRemoved = "email_removed"

	EventInvited       = "invited"        // a registration token was made; no account is named
	EventInviteRevoked = "invite_revoked" // … was revoked
	EventLoginLink     = "login_link"     // an operator made a login token for the account
	EventResetLink     = "reset_link"     // … a link with which its owner chooses a password

	// What concerns no account, told at most once an hour by each server.
	EventFlood  = "flood"          // strangers were refused again and again, by the rate limit
	EventOutbox = "outbox_failing" // the homeserver is not told of something, for too long, or refuses it
	EventMail   = "mail_failing"   // the mail server is away for too long
)

// EventKinds are all kinds of events.
var EventKinds = []string{
	EventReplay, EventKeyRetired, EventCodeReplay, EventDeviceGone, EventCaughtUp, EventLogin, EventNewDevice,
	EventLogout, EventTokenIssued, EventTokenEnded, EventBrowser, EventCreated, EventWaiting, EventApproved,
	EventRejected, EventPassword, EventDeactivated, EventReactivated, EventLocked, EventUnlocked, EventAdminOn,
	EventAdminOff, EventFactorAdded, EventFactorRemoved, EventFactorsCleared, EventPasskeyCopied, EventRecoveryMade,
	EventRecoveryUsed, EventEmailAdded, EventEmailRemoved, EventInvited, EventInviteRevoked, EventLoginLink,
	EventResetLink, EventFlood, EventOutbox, EventMail,
}

// UnknownKind finds the first of some kinds that no event has.
func UnknownKind(kinds []string) (kind string, found bool) {
	i := slices.IndexFunc(kinds, func(kind string) bool { return !slices.Contains(EventKinds, kind) })
	if i < 0 {
		return "", false
	}
	return kinds[i], true
}
