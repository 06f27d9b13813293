package web

// A passkey is the one thing here that needs a script: browsers have no other way to ask for it. The script is a part
// of the page, as the stylesheet is, and stands only on pages that ask for one.

// Ceremony is a form that asks the browser for a passkey and sends its answer. Without options it is none.
type Ceremony struct {
	Options string // what the browser is asked for, as JSON
	State   string // proves to the server what it has asked for
	To      string // address that the form leads to; empty: the page's own
	Main    bool   // it is what the page is about
	Account string // whom the page speaks of; empty: nobody is signed in
	Form    string
}

// PasskeysPart is the part of the account page about passkeys.
type PasskeysPart struct {
	Action  string    // where its forms lead
	Offered bool      // the server is found by a domain; browsers make passkeys for nothing else
	Full    bool      // the account has as many factors as it may
	List    []Passkey // the oldest first
	Add     Ceremony  // empty: somebody has to show first that it is them
}

// Passkey is one as its owner sees it.
type Passkey struct {
	Name        string
	Added, Used Moment // zero: never
	View        string // address of its page
}

// AddPasskey is the page on which a passkey is made.
type AddPasskey struct {
	UserID   string
	Ceremony Ceremony
	Wrong    Wrong
	Back     string
}

// PasskeyDetails is the page of one passkey, on which it can be renamed and removed.
type PasskeyDetails struct {
	UserID    string
	Passkey   Passkey
	Called    string // its name, or what was typed
	WrongName Wrong
	Saved     bool
	Deed      Deed
}

func (AddPasskey) name() string     { return "addpasskey" }
func (PasskeyDetails) name() string { return "passkey" }

// scripted is a page that may have the script on it.
type scripted interface{ scripted() bool }

func (c Ceremony) scripted() bool { return c.Options != "" }

func (p SignIn) scripted() bool       { return p.Passkey.scripted() }
func (p SecondFactor) scripted() bool { return p.Passkey.scripted() }
func (p AddPasskey) scripted() bool   { return p.Ceremony.scripted() }
func (p SetUpFirst) scripted() bool   { return p.Account.scripted() }
func (p Account) scripted() bool      { return p.Passkeys.Offered }
