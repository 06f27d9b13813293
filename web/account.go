package web

import "time"

// The account page and those behind it. The account page has parts, each a template of its own in pages/.

// Account is the page of an account itself.
type Account struct {
	UserID   string
	Account  string // whom the page speaks of: somebody else may sign in meanwhile
	Devices  []Device
	Browsers []Browser
	Codes    CodesPart
	Recovery RecoveryPart
	Reset    string // address of the page that replaces the cryptographic identity; empty: there is no homeserver
	Close    string // address of the page that deactivates the account
	Form     string
}

// Device is a session as its owner sees it.
type Device struct {
	ID, Name, App, From, Agent string
	Used                       time.Time
	Ended                      bool   // it has to log in again
	Gone                       bool   // there is none of this id now
	View                       string // address of its page
}

// Browser is one that is signed in.
type Browser struct {
	From, Agent string
	Since       time.Time
	This        bool
}

// DeviceDetails is the page of one device, on which it can be signed out.
type DeviceDetails struct {
	UserID string
	Device Device
	Deed   Deed
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

func (Account) name() string       { return "account" }
func (Agree) name() string         { return "agree" }
func (DeviceDetails) name() string { return "device" }
func (Confirm) name() string       { return "confirm" }
