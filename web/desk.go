package web

import "time"

// The operator's desk: pages for an account that is an administrator. They are read when somebody first asks for one:
// most servers' administrators look at it seldom.

// Desk is what every page of the desk has.
type Desk struct {
	UserID  string // who looks at it
	Account string // whom the page speaks of: somebody else may sign in meanwhile
	Form    string
	Parts   []DeskPart
	Said    string // the name of a text: what was done just now; empty: nothing
	Wrong   Wrong
}

// DeskPart is a part of the desk, with how much waits there.
type DeskPart struct {
	Text, To string
	Here     bool
	Waits    int
}

// Choice is one of several values of a field.
type Choice struct {
	Value, Text string // Text is the name of a text
	Chosen      bool
}

// Pager leads to the pages beside one; an empty address: there is none.
type Pager struct{ First, Next string }

// PersonLine is an account in a list. State is the name of a text.
type PersonLine struct {
	UserID, View        string
	State               string
	Admin, SecondFactor bool
	Created             Moment
	Sessions            int
}

// People is the page on which accounts are looked for.
type People struct {
	Desk
	Query  string
	States []Choice
	Lines  []PersonLine
	Pager  Pager
	Add    string // address of the page to add one
}

// NewPerson is the page on which an account is added.
type NewPerson struct {
	Desk
	Name  string // as it was typed
	ByURL bool   // they choose the password themselves, by a link
	Rules PasswordRules
	Back  string
}

// Factor is a second factor of somebody's.
type Factor struct {
	Kind        string // the name of a text
	Name        string
	Added, Used Moment // zero: never
}

// PersonDevice is a device or a bot of somebody's, and the address that signs it out.
type PersonDevice struct {
	Device Device
	Bot    bool
	End    string
}

// Person is the page of one account.
type Person struct {
	Desk
	Person   PersonLine
	Own      bool // of whoever looks at it: they cannot shut themselves out
	Closed   bool // it is deactivated
	Locked   bool
	Devices  []PersonDevice
	More     int // devices
	Browsers []Browser
	Factors  []Factor
	Recovery int      // codes that are left
	Emails   []string // verified addresses
	Events   []DeskEvent
	Past     string // address of all its events
	Action   string // where the page's forms lead
}

// PersonLink is the page that shows a link for somebody, once.
type PersonLink struct {
	Desk
	Whom, Link string
	Until      time.Time
	Back       string
}

// SignUp is an account that waits, or did.
type SignUp struct {
	Name, UserID, Network string
	Email                 string // that they have shown; empty: none
	Since                 Moment
	View                  string // address of the account that it is now; empty: it is none
}

// Decided is whom an administrator has just decided about. Text is the name of a text; empty: about nobody.
type Decided struct {
	Text string
	List []SignUp
}

// RejectSignUps is the page that asks whether they mean it.
type RejectSignUps struct {
	Desk
	List []SignUp
	Back string
}

// SignUps is the page on which an operator decides about accounts that wait.
type SignUps struct {
	Desk
	Waiting bool // accounts wait for approval, as the server is set up
	Mail    bool // the server sends mail
	Decided Decided
	List    []SignUp
	More    int // that wait as well
}

// Invitation is a registration token. State is the name of a text.
type Invitation struct {
	Token, Link, State      string
	Good                    bool
	Allowed, Used, Reserved int64 // Allowed 0: any number
	Made                    Moment
	Expires                 time.Time // zero: never
}

// Invitations is the page of all invitations, on which one is made.
type Invitations struct {
	Desk
	Taken bool        // invitations are of use, as the server is set up
	Made  *Invitation // just now
	Token string      // of the one that the form makes
	Uses  string      // as they were typed
	Days  string
	List  []Invitation
	Pager Pager
}

// DeskEvent is an event as an operator sees it.
type DeskEvent struct {
	Event
	UserID, View string // of the account; empty: the event is of none
	By           string // which command or which operator did it; empty: whoever has the account
}

// DeskEvents is the page on which events are looked for.
type DeskEvents struct {
	Desk
	Name, From, Until string // as they were typed
	Kinds             []Choice
	List              []DeskEvent
	Pager             Pager
}

// Queued is something that waits to be sent.
type Queued struct {
	Text, Whom string // Text is the name of a text; empty: Whom, or a device, has changed
	Device     string
	Kind       string // the name of a text: what it says; empty: KindName
	KindName   string // of a kind without a text
	About      string // the user id of the account that it tells of; empty: of none
	View       string // address of that account's page
	Planned    bool   // for Next: it waits for that alone
	Since      Moment
	Tries      int
	Next       time.Time // zero: now
	Refused    bool      // by the receiver, who was there
	Error      string
}

// Queue is what waits for one receiver.
type Queue struct {
	Text, Means string // names of texts
	List        []Queued
	More        int  // that wait as well
	NoMail      bool // mails wait, and this server sends none
	Retry       bool // something has failed and can be tried again
}

// Queues is the page of what waits.
type Queues struct {
	Desk
	Queues []Queue
}

// Total is a number that is so now.
type Total struct {
	Text  string
	Value int
	View  string // address of where to look closer; empty: nowhere
}

// Numbers is the first page of the desk.
type Numbers struct {
	Desk
	Totals []Total
	Daily  []Plot // of the database
	Hourly []Plot // of this process
	Since  Moment // when those begin
}

func (Numbers) name() string       { return "numbers" }
func (People) name() string        { return "people" }
func (NewPerson) name() string     { return "newperson" }
func (Person) name() string        { return "person" }
func (PersonLink) name() string    { return "personlink" }
func (SignUps) name() string       { return "signups" }
func (RejectSignUps) name() string { return "rejectsignups" }
func (Invitations) name() string   { return "invitations" }
func (DeskEvents) name() string    { return "deskevents" }
func (Queues) name() string        { return "queues" }

// desk marks a page of the desk.
func (Desk) desk() {}

type deskPage interface{ desk() }
