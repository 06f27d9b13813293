package web

import "time"

// Bot is a token for a bot as its owner sees it.
type Bot struct {
	Device, Name string
	Kind         string    // the name of a text: what it opens, as the form has it
	Room         string    // the only one that it may send to; empty: any
	From         string    // the only addresses that it may be used from; empty: any
	Caveats      []string  // as they were written, if Kind does not say it
	Used         Moment    // zero: not yet
	Place        Place     // where it was used last
	Ends         time.Time // on this day; zero: never
	Over         bool      // it opens nothing any more
	View         string    // address of its page, which its form leads to
}

// BotDetails is the page of one token, on which it can be ended.
type BotDetails struct {
	UserID string
	Bot    Bot
	Deed   Deed
}

// NewBot is the page on which a token is made, with what was typed.
type NewBot struct {
	UserID, Device                        string // the device that the token is to have
	Name, May, Room, Caveats, From, Until string
	Latest                                time.Time // the last day that a token may have; zero: any, and it may be none
	Preview                               *Preview
	Deed                                  Deed
}

// Preview says what a token would open.
type Preview struct {
	Open, Closed []Request
	From         string
	Caveats      []string
}

// Request is one that a client may make; Text is the name of a text that says what it does.
type Request struct{ Text, Method, Path string }

// BotMade is the page that shows a token, once.
type BotMade struct {
	UserID, Name, Token string
	Curl                string // a command to try it with
	Back                string
}

func (BotDetails) name() string { return "bot" }
func (NewBot) name() string     { return "newbot" }
func (BotMade) name() string    { return "botmade" }
