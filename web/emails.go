package web

// EmailsPart is the part of the account page about mail addresses; empty: there is no mail here, and no address.
type EmailsPart struct {
	Add  string // address of the page that adds one; empty: none can be added
	List []Email
}

// Email is a mail address of the account.
type Email struct {
	Address string
	Added   Moment
	View    string // address of its page
}

// NewEmail is the page on which a person says which address is theirs.
type NewEmail struct {
	UserID  string
	Address string // as it was typed
	Deed    Deed
}

// EmailDetails is the page of one address, on which it is removed.
type EmailDetails struct {
	UserID string
	Email  Email
	Deed   Deed
}

// ShowEmail is the page to which a link leads that shows an address.
type ShowEmail struct {
	UserID  string
	Address string
	Of      string // the user id of another account that has asked for it, for which nobody is signed in; else empty
	Deed    Deed
}

// Recover is the page on which somebody who has forgotten the password asks for a mail.
type Recover struct {
	Server string
	User   string // as it was typed
	Mail   bool   // mail is sent here
	Wrong  Wrong
	Form   string
	SignIn string // address of the page to sign in
}

// Choose is the page to which a link leads that gives an account a new password.
type Choose struct {
	UserID    string // whose
	Other     string // the user id of another account that is signed in in this browser; else empty
	Factor    bool   // a second factor is asked for at the next login
	EndOthers bool   // the box to sign out all devices is ticked
	Rules     PasswordRules
	Wrong     Wrong
	Form      string
}

// LinkOver is the page of a link that is good no longer.
type LinkOver struct {
	Recover string // address of the page that sends another one; empty: there is no mail here
	Server  string
}

func (NewEmail) name() string     { return "newemail" }
func (EmailDetails) name() string { return "email" }
func (ShowEmail) name() string    { return "showemail" }
func (Recover) name() string      { return "recover" }
func (Choose) name() string       { return "choose" }
func (LinkOver) name() string     { return "linkover" }
