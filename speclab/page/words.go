package page

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"postern/tokens"
)

// told is what a token says, to a person.
type told struct {
	Location   string       `json:"location"`
	Version    int          `json:"version"` // of the identifier's format
	KeyID      int64        `json:"key_id"`
	Session    string       `json:"session"`
	Generation int64        `json:"generation"`
	Caveats    []toldCaveat `json:"caveats"`
}

// toldCaveat is one caveat as written and in plain words.
type toldCaveat struct {
	Text  string `json:"text"`
	Words string `json:"words"`
	By    string `json:"by"` // "minter", "holder", or "you" for one that was added just now
}

// identifierVersion is the only format of identifiers that tokens.Decode reads.
const identifierVersion = 1

// minted is how many caveats the minter writes, if a token expires; the last of them is the expiry.
const minted = 4

func tell(token *tokens.Token, added int, now time.Time) told {
	texts := token.Caveats()
	t := told{
		Location: printable(token.Location()), Version: identifierVersion, KeyID: token.KeyID(),
		Session: printable(token.Session()), Generation: token.Generation(), Caveats: make([]toldCaveat, len(texts)),
	}
	for i, text := range texts {
		by := "holder"
		switch _, expiry := tokens.Before(texts[i : i+1]); {
		case i >= len(texts)-added:
			by = "you"
		case i < minted-1 || i == minted-1 && expiry:
			by = "minter"
		}
		t.Caveats[i] = toldCaveat{Text: printable(text), Words: words(text, now), By: by}
	}
	return t
}

// claimedType is what a token says that it is for. Without a word it is taken for an access token, as which it is then
// refused.
func claimedType(token *tokens.Token) tokens.Type {
	for _, text := range token.Caveats() {
		if caveat, err := tokens.ParseCaveat(text); err == nil && caveat.Key == "type" {
			return tokens.Type(caveat.Value)
		}
	}
	return tokens.Access
}

// signature is the last link of a token's chain, in hexadecimal. A token is a macaroon in binary format 2 written
// without waste, or tokens.Decode would have refused it, and those end in the 32 bytes of the signature.
func signature(token string) string {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 32 {
		return "" // unreachable: tokens.Decode has read it
	}
	return hex.EncodeToString(raw[len(raw)-32:])
}

const unknown = "Postern does not know this; it refuses the token"

// words says what a caveat asks.
func words(text string, now time.Time) string {
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
		return kindWords(caveat.Value)
	case "time <", "time >", "time ==":
		return timeWords(caveat, now)
	case "method in":
		return "Only for requests with the method " + either(value)
	case "path under":
		return "Only for " + value + " and what lies below it"
	case "addr in":
		return "Only for clients whose address is in " + either(value)
	case "device_id =":
		return "Only while the session's device is " + value
	}
	return unknown
}

func kindWords(kind string) string {
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

func timeWords(caveat tokens.Caveat, now time.Time) string {
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

// either joins a list that was written with commas.
func either(list string) string {
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

// printable shows what anybody may have written: what is not to be seen, or turns the line around, is escaped.
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
