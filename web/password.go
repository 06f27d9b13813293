package web

// PasswordPart is the part of the account page that changes the password.
type PasswordPart struct {
	Action    string // address that its form leads to
	Has       bool   // the account has a password
	Rules     PasswordRules
	Wrong     Wrong
	EndOthers bool // the box to sign out all devices is ticked
}

// PasswordRules are what a new password must be, as far as it can be told before it is typed.
type PasswordRules struct {
	Least                       int // characters
	Digit, Symbol, Upper, Lower bool
	Hard                        bool // to guess
}

// Password is that part as a page of its own.
type Password struct {
	UserID   string
	Account  string // whom the page speaks of: somebody else may sign in meanwhile
	Password PasswordPart
	Form     string
	Back     string // the address that Cancel leads to
}

func (Password) name() string { return "newpassword" }
