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
	Bots     []Bot
	NewBot   string // address of the page that makes a token for a bot
	Reset    string // address of the page that replaces the cryptographic identity; empty: there is no homeserver
	Close    string // address of the page that deactivates the account
	Form     string
}

// Device is a session as its owner sees it.
type Device struct {
	ID, Name, App, From, Agent string
	Used                       time.Time
	Ended                      bool   // it has to log in again
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

// Deed is what a form does that cannot be taken back.
type Deed struct {
	Account string // whom the page speaks of: somebody else may sign in meanwhile
	Prove   bool   // the password has to be typed again
	Wrong   Wrong
	Form    string
	Back    string // the address that Cancel leads to
}

func (Account) name() string       { return "account" }
func (DeviceDetails) name() string { return "device" }
func (Confirm) name() string       { return "confirm" }
