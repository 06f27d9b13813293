package web

import (
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// CodesPart is the part of the account page about one-time codes by an app.
type CodesPart struct {
	Action      string // where its forms lead
	Has         bool
	Added, Used Moment // zero: never
}

// RecoveryPart is the part of the account page about recovery codes.
type RecoveryPart struct {
	Action  string // where its form leads
	Offered bool   // the account has a second factor, which they stand in for
	Left    int
}

// SetUpCodes is the page that shows a new secret to an app, and asks for its first code.
type SetUpCodes struct {
	UserID      string
	QR          QR
	URL, Secret string
	Sealed      string // the secret, as the form brings it back
	Action      string
	Deed        Deed
}

// RecoveryCodes is the page that shows new recovery codes once.
type RecoveryCodes struct {
	UserID string
	Done   string // the name of a text: what was done
	Codes  []string
	Back   string
}

// Prove is the page on which somebody shows that the account is theirs, before a form is sent on.
type Prove struct {
	UserID   string
	Text, Do string // the name of a text: what is to be done; and the button that does it
	Means    string // the name of a text that says what that does; empty: a page before has said it
	Whom     string // whose account it is done to; empty: their own
	Address  string // the mail address that it is about; empty: it is about none
	Deed     Deed
}

// SetUpFirst is the page for somebody who has to set up a second factor before they go on.
type SetUpFirst struct{ Account Account } // its parts about second factors

func (SetUpFirst) name() string    { return "setupfirst" }
func (SetUpCodes) name() string    { return "setup" }
func (RecoveryCodes) name() string { return "recovery" }
func (Prove) name() string         { return "prove" }

// QR is a picture of dots, each one unit wide, for an SVG of that size.
type QR struct {
	Size int    // with the quiet zone around the dots
	Path string // of the dark ones
}

// quietZone is how many units around the dots stay light. ISO/IEC 18004, section 6.3.8.
const quietZone = 4

// NewQR draws a text.
func NewQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, err
	}
	var path strings.Builder
	side := code.Bounds().Dx()
	for y := range side {
		for x := range side {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				path.WriteString("M" + strconv.Itoa(x+quietZone) + " " + strconv.Itoa(y+quietZone) + "h1v1h-1z")
			}
		}
	}
	return QR{side + 2*quietZone, path.String()}, nil
}
