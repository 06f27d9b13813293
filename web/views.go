package web

// Client is who asks, as it says of itself.
type Client struct{ Name, Host, Terms, Policy string }

// Ask is what somebody is asked to agree to. Without a client nobody asks: it is a page of the account's own.
type Ask struct {
	Client Client
	Device string // the device id that the client asks for
	Code   string // that a device shows, which has to be the same
	From   string // the address that a device asks from
	Signs  bool   // the client only hears who has signed in, and then asks by itself
}

// SignIn is the page on which a person signs in, and lets a client in if one asks.
type SignIn struct {
	Ask    Ask
	Server string // the part of user ids after the colon
	User   string // as it was typed
	Wrong  Wrong
	Form   string // proves that the form is ours
	Create string // address of the page to create an account; empty: nobody can
	// Passkey asks for a passkey in place of name and password; empty: there can be none.
	Passkey Ceremony
	Recover string // address of the page for a forgotten password; empty: there is no mail here
	Again   bool   // they are signed in, and have to show that it is them before something that cannot be taken back
}

// SecondFactor is the page of the second step of signing in, after the password.
type SecondFactor struct {
	Ask             Ask
	Server, UserID  string
	Half            string   // proves the first step
	Codes, Recovery bool     // the account has one-time codes; recovery codes
	Passkey         Ceremony // asks for one of the account's; empty: it has none
	Wrong           Wrong
	Form            string
}

// CreateAccount is the page on which a person makes an account, and lets a client in if one asks.
type CreateAccount struct {
	Ask       Ask
	Server    string
	User      string
	Token     string // the registration token as it was typed
	NeedToken bool
	Waits     bool   // an account that is made without a token waits for approval
	Mail      bool   // they may name a mail address
	Email     string // as it was typed
	Terms     string // what they must agree to; empty: nothing
	Rules     PasswordRules
	Wrong     Wrong
	Form      string
	SignIn    string // address of the page to sign in
}

// Waits is the page that says that an account waits for approval.
type Waits struct {
	Ask            Ask
	Server, UserID string
	Sent           bool // a link to show their address is on its way
	Mailed         bool // they have shown it, and get a mail once they are approved
	Form           string
}

// Welcome is the page that says what to do with an account that was just made, for somebody who has not come from a
// client.
type Welcome struct {
	UserID, Server string
	Account        string // address of its page
}

// Consent is the page on which a person who is signed in lets a client in.
type Consent struct {
	Ask     Ask
	UserID  string
	Account string // whom the page speaks of: somebody else may sign in meanwhile
	Form    string
}

// EnterCode is the page on which a person types the code that a device shows.
type EnterCode struct {
	UserID  string
	Account string // whom the page speaks of
	Code    string // as it was typed, or as the device's link has it
	Wrong   Wrong
	Form    string
}

// Mailed is the page to which the link of a mail leads that an app has asked for, or somebody whose account waits.
type Mailed struct {
	Address, Server string
	Account         string // for which the app wants to set a new password; empty: it wants to use the address
	Waits           string // the user id of the account that waits; empty: an app has asked
	Form            string
}

// Done is a page that says that something is done.
type Done struct {
	Text, Then string // names of texts: what is done, and what comes next
	Back       string // address of the account; empty: there is nothing to go back to
}

// Failure is a page that says what went wrong, and for whoever writes the client, in which words of the protocol.
type Failure struct {
	Text, Detail string
	App, Back    string // the app's host, and an address of it where it hears of the failure; empty: there is none
}

func (SignIn) name() string        { return "signin" }
func (SecondFactor) name() string  { return "second" }
func (CreateAccount) name() string { return "create" }
func (Waits) name() string         { return "waits" }
func (Welcome) name() string       { return "welcome" }
func (Consent) name() string       { return "consent" }
func (EnterCode) name() string     { return "code" }
func (Mailed) name() string        { return "mailed" }
func (Done) name() string          { return "done" }
func (Failure) name() string       { return "failure" }
