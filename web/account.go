package web

import "time"

// The account page and those behind it. The account page has parts, each a template of its own in pages/.

// Account is the page of an account itself.
type Account struct {
	UserID   string
	Account  string // whom the page speaks of: somebody else may sign in meanwhile
	Devices  []Device
	Browsers []Browser
	New      NewDevices
	Events   []Event
	Past     string // address of the page of all events
	Password PasswordPart
	Emails   EmailsPart
	Passkeys PasskeysPart
	Codes    CodesPart
	Recovery RecoveryPart
	Bots     []Bot
	NewBot   string // address of the page that makes a token for a bot
	Reset    string // address of the page that replaces the cryptographic identity; empty: there is no homeserver
	Desk     string // address of the operator's desk; empty: the account is no administrator
	Close    string // address of the page that deactivates the account
	Form     string
}

// Moment is a time, as somebody sees it at another one.
type Moment struct{ At, Now time.Time }

// Place is where something comes from.
type Place struct {
	Addr string
	Near bool // it is in the network of who looks at it
}

// Agent is a program, and what it runs on; empty: it does not say.
type Agent struct{ Name, System string }

// Device is a session as its owner sees it. Without a name it is called by what it runs.
type Device struct {
	ID, Name string
	App      string // whose device it is, and Agent what it runs; each empty if the name says so
	Agent    Agent
	From     Place
	Used     Moment
	This     bool   // it is a page in the browser that looks at it
	Ended    bool   // it has to log in again
	Gone     bool   // there is none of this id now
	View     string // address of its page
}

// Browser is one that is signed in.
type Browser struct {
	Agent Agent
	From  Place
	Since Moment
	This  bool
	View  string // address of its page
}

// DeviceDetails is the page of one device, on which it is renamed and signed out.
type DeviceDetails struct {
	UserID    string
	Device    Device
	Called    string // what its owner, or its client, calls it, or what was typed
	WrongName Wrong
	Saved     bool
	Deed      Deed
}

// BrowserDetails is the page of one browser, on which it is signed out.
type BrowserDetails struct {
	UserID  string
	Browser Browser
	Deed    Deed
}

// Others is the page on which a person signs out everything but the browser that they look at it with.
type Others struct {
	UserID                    string
	Devices, Browsers, Tokens int // that end
	Deed                      Deed
}

// NewDevice is the login of a device that its account's owner has not seen before.
type NewDevice struct {
	Device Device
	At     Moment
	Gone   bool // it is signed out by now
}

// NewDevices asks for what has logged in lately, the oldest first.
type NewDevices struct {
	All   []NewDevice
	More  bool   // that are asked for once these are dismissed
	Until string // the last one of them
}

// Event is something that has happened to the account.
type Event struct {
	Text       string // name of a text
	Kind       string // if there is no text of its own
	At         Moment
	Device     Device // that it happened to, without a page if it is signed out; empty: none
	Agent      Agent  // who did it
	From       Place
	ByOperator bool // whoever runs the server did it
}

// History is the page of the account's events.
type History struct {
	UserID       string
	Events       []Event
	Newer, Older string // addresses of the pages beside this one; empty: there is none
	Back         string
}

// Confirm is the page on which a person says that they mean it.
type Confirm struct {
	UserID string
	What   string // the name of a text: reset or deactivate
	Deed   Deed
}

// Agree is the page on which a person agrees to what one of their apps is about to do.
type Agree struct {
	UserID  string
	Account string // whom the page speaks of: somebody else may sign in meanwhile
	What    string // the name of a text
	Ends    []Device
	Asks    Device
	Form    string
}

// Deed is what a form does that cannot be taken back.
type Deed struct {
	Account string // whom the page speaks of: somebody else may sign in meanwhile
	Prove   bool   // the password has to be typed again
	Wrong   Wrong
	Form    string
	Back    string // the address that Cancel leads to
}

func (Account) name() string        { return "account" }
func (Agree) name() string          { return "agree" }
func (DeviceDetails) name() string  { return "device" }
func (BrowserDetails) name() string { return "browser" }
func (Others) name() string         { return "others" }
func (History) name() string        { return "history" }
func (Confirm) name() string        { return "confirm" }
