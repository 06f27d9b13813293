package page

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"postern/tokens"
)

// description is what a token says, for a person.
type description struct {
	Location   string   `json:"location"`
	Version    int      `json:"version"` // of the identifier's format
	KeyID      int64    `json:"key_id"`
	Session    string   `json:"session"`
	Generation int64    `json:"generation"`
	Caveats    []caveat `json:"caveats"`
}

// caveat is one caveat as written and in plain words.
type caveat struct {
	Text    string `json:"text"`
	Meaning string `json:"words"`
	Author  string `json:"by"` // "minter", "holder", or "you" for one that was added just now
}

// describe takes a token apart; the last caveats were added just now.
func describe(token *tokens.Token, added int, now time.Time) description {
	texts, seen := token.Caveats(), token.Inspect()
	d := description{
		Location: printable(token.Location()), Version: seen.Version, KeyID: token.KeyID(),
		Session: printable(token.Session()), Generation: token.Generation(), Caveats: make([]caveat, len(texts)),
	}
	for i, text := range texts {
		author := "holder"
		switch {
		case i >= len(texts)-added:
			author = "you"
		case i < seen.Minted:
			author = "minter"
		}
		d.Caveats[i] = caveat{Text: printable(text), Meaning: explain(text, now), Author: author}
	}
	return d
}

// claimedType is the type that a token claims. One without is taken for an access token, and is then refused.
func claimedType(token *tokens.Token) tokens.Type {
	for _, text := range token.Caveats() {
		if caveat, err := tokens.ParseCaveat(text); err == nil && caveat.Key == "type" {
			return tokens.Type(caveat.Value)
		}
	}
	return tokens.Access
}

const unknown = "Postern does not know this; it refuses the token"

// explain says in plain words what a caveat asks.
func explain(text string, now time.Time) string {
	caveat, err := tokens.ParseCaveat(text)
	if err != nil {
		return "This is not of the form “key operator value”; Postern refuses the token"
	}
	value := printable(caveat.Value)
	switch caveat.Key + " " + caveat.Operator {
	case "gen =":
		return "The caveats are in the language of the draft's generation " + value
	case "user_id =":
		return "It speaks for " + value
	case "type =":
		return explainType(caveat.Value)
	case "time <", "time >", "time ==":
		return explainTime(caveat, now)
	case "method in":
		return "Only for requests with the method " + orList(value)
	case "path under":
		return "Only for " + value + " and what lies below it"
	case "addr in":
		return "Only for clients whose address is in " + orList(value)
	case "device_id =":
		return "Only while the session's device is " + value
	}
	return unknown
}

func explainType(kind string) string {
	switch tokens.Type(kind) {
	case tokens.Access:
		return "It is an access token: it opens requests"
	case tokens.Refresh:
		return "It is a refresh token: it is exchanged for a new pair of tokens, and opens nothing else"
	case tokens.Login:
		return "It is a login token: it logs one device in, once"
	}
	return unknown
}

func explainTime(caveat tokens.Caveat, now time.Time) string {
	ms, err := strconv.ParseUint(caveat.Value, 10, 63)
	if at := time.UnixMilli(int64(ms)); err == nil && at.UTC().Year() <= 9999 {
		switch caveat.Operator {
		case "<":
			return "Until " + moment(at, now)
		case ">":
			return "Not before " + moment(at, now)
		}
		return "At no other time than " + moment(at, now)
	}
	if err == nil && caveat.Operator == "<" {
		return "For ever, as far as a calendar goes"
	}
	return unknown
}

const clock = "2 Jan 2006 15:04:05 UTC"

// moment is a time, and how far from now it is.
func moment(at, now time.Time) string {
	away := at.Sub(now)
	if away < 0 {
		return fmt.Sprintf("%s (%s ago)", at.UTC().Format(clock), span(-away))
	}
	return fmt.Sprintf("%s (in %s)", at.UTC().Format(clock), span(away))
}

// span is a duration as people say it.
func span(d time.Duration) string {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"year", 365 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute},
		{"second", time.Second}} {
		if n := int64(d / unit.length); n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return "less than a second"
}

// orList joins a list that was written with commas.
func orList(list string) string {
	items := strings.Split(list, ",")
	if last := len(items) - 1; last > 0 {
		return strings.Join(items[:last], ", ") + " or " + items[last]
	}
	return list
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + printable(noun)
	}
	return "a " + printable(noun)
}

// printable escapes characters that cannot be seen or that reverse the line: anybody may have written the text.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(text)
	}
	return text
}

// badToken says what is wrong with what was pasted, and what to do.
func badToken(text string, err error) string {
	switch {
	case text == "":
		return "Paste a token."
	case strings.ContainsFunc(text, unicode.IsSpace):
		return "There is a space or a line break in it; paste the token alone."
	}
	return "This is not a token of Postern's: " + reason(err) +
		". Paste the whole access_token or refresh_token of an answer."
}

// badCaveat says why a caveat cannot be added.
func badCaveat(err error) string {
	return "This cannot be added: " + reason(err) +
		". Write it like “method in GET,HEAD”: a key, an operator and a value, with single spaces between."
}

// reason is an error of package tokens without what the reader knows.
func reason(err error) string {
	text := err.Error()
	if errors.Is(err, tokens.ErrMalformed) {
		text = strings.TrimPrefix(text, tokens.ErrMalformed.Error()+": ")
	}
	return text
}
