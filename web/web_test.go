package web

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	everyAsk = Ask{Client: Client{"App", "app.example.com", "https://app.example.com/t", "https://app.example.com/p"},
		Device: "ABC", Code: "BCDF-GHJK", From: "192.0.2.1"}
	everyMoment = Moment{time.Unix(1, 0), time.Unix(2, 0)}
	everyAgent  = Agent{"Firefox", "Windows"}
	everyPlace  = Place{"192.0.2.1", true}
	everyDevice = Device{ID: "ABC", Name: "Phone", App: "App", From: everyPlace, Agent: everyAgent, Used: everyMoment,
		This: true, Ended: true, View: "/v"}
	everyBrowser  = Browser{Agent: everyAgent, From: everyPlace, Since: everyMoment, This: true, View: "/v"}
	everyEvent    = Event{Text: "eventLogin", At: everyMoment, Device: everyDevice, Agent: everyAgent, From: everyPlace}
	everyPassword = PasswordPart{Has: true, Rules: everyRules, Wrong: Wrong{Text: "wrongCurrent"}, EndOthers: true}
	everyRules    = PasswordRules{Least: 8, Digit: true, Symbol: true, Upper: true, Lower: true, Hard: true}
	everyCeremony = Ceremony{Options: `{"challenge":"x"}`, State: "x", To: "/t", Account: "alice", Form: "x"}
	everyPasskey  = Passkey{Name: "Chrome, Linux", Added: everyMoment, Used: everyMoment, View: "/v"}
	everyDeed     = Deed{Prove: true, Wrong: Wrong{Text: "wrongProof"}, Form: "x", Back: "/b"}
	everyBot      = Bot{Device: "BELL", Name: "Bell", Kind: "botOwn", From: "::1", Caveats: []string{"method in GET"},
		Used: everyMoment, Place: everyPlace, Ends: time.Unix(1, 0), View: "/v"}
)

var everyEmail = Email{Address: "a@example.org", Added: everyMoment, View: "/v"}

// everyPage is one of each kind with all that it can show.
var everyPage = joined(everyDeskPage, map[string]Page{
	"signin.html": SignIn{Ask: everyAsk, Server: "example.org", User: "alice", Wrong: Wrong{Text: "wrongPassword"},
		Form: "x", Create: "/c", Recover: "/recover", Passkey: everyCeremony},
	"second.html": SecondFactor{Ask: everyAsk, Server: "example.org", UserID: "@alice:example.org", Half: "x", Codes: true,
		Recovery: true, Passkey: everyCeremony, Wrong: Wrong{Text: "wrongSecond"}, Form: "x"},
	"addpasskey.html": AddPasskey{UserID: "@alice:example.org", Ceremony: everyCeremony,
		Wrong: Wrong{Text: "passkeyLate"}, Back: "/a"},
	"passkey.html": PasskeyDetails{UserID: "@alice:example.org", Passkey: everyPasskey, Saved: true,
		WrongName: Wrong{Text: "passkeyName"}, Deed: everyDeed},
	"setup.html": SetUpCodes{UserID: "@alice:example.org", QR: QR{9, "M4 4h1v1h-1z"}, URL: "otpauth://totp/x", Secret: "x",
		Sealed: "x", Action: "/a", Deed: everyDeed},
	"recovery.html": RecoveryCodes{UserID: "@alice:example.org", Done: "codesAdded", Codes: []string{"x"}, Back: "/a"},
	"prove.html": Prove{UserID: "@alice:example.org", Text: "removeCodes", Means: "removeCodesMean",
		Do: "remove", Deed: everyDeed},
	"create.html": CreateAccount{Ask: everyAsk, Server: "example.org", User: "alice", Token: "t", Waits: true, Mail: true,
		Terms: "https://example.org/terms", Wrong: Wrong{"slowDown", []any{7}}, Rules: everyRules, Form: "x",
		SignIn: "/s"},
	"waits.html":   Waits{Ask: everyAsk, Server: "example.org", UserID: "@alice:example.org", Form: "x"},
	"welcome.html": Welcome{UserID: "@alice:example.org", Server: "example.org", Account: "/account"},
	"consent.html": Consent{Ask: everyAsk, UserID: "@alice:example.org", Account: "alice", Form: "x"},
	"code.html": EnterCode{UserID: "@alice:example.org", Code: "BCDF", Wrong: Wrong{Text: "wrongProof"},
		Form: "x"},
	"account.html": Account{UserID: "@alice:example.org", Devices: []Device{everyDevice, {ID: "X"}},
		Browsers: []Browser{everyBrowser, {}}, New: NewDevices{All: []NewDevice{{everyDevice, everyMoment, false},
			{everyDevice, everyMoment, true}}, More: true, Until: "1"}, Events: []Event{everyEvent}, Past: "/e",
		Password: everyPassword, Emails: EmailsPart{Add: "/a", List: []Email{everyEmail}},
		Passkeys: PasskeysPart{Action: "/a", Offered: true, List: []Passkey{everyPasskey, {}}, Add: everyCeremony},
		Reset:    "/r", Close: "/d", Codes: CodesPart{Action: "/a", Has: true},
		Recovery: RecoveryPart{Action: "/a", Offered: true}, Form: "x",
		Bots: []Bot{everyBot, {Name: "Bell", Kind: "botRoom", Room: "!r:x", View: "/v"}}},
	"newpassword.html": Password{UserID: "@alice:example.org", Password: everyPassword, Form: "x", Back: "/b"},
	"device.html": DeviceDetails{UserID: "@alice:example.org", Device: everyDevice, Called: "Phone", Saved: true,
		WrongName: Wrong{"nameTooLong", []any{100}}, Deed: everyDeed},
	"browser.html": BrowserDetails{UserID: "@alice:example.org", Browser: everyBrowser, Deed: everyDeed},
	"others.html":  Others{UserID: "@alice:example.org", Devices: 1, Browsers: 2, Tokens: 3, Deed: everyDeed},
	"history.html": History{UserID: "@alice:example.org", Events: []Event{everyEvent, {Kind: "odd", ByOperator: true},
		{Text: "eventLogout", Device: Device{Name: "Gone"}}}, Newer: "/n", Older: "/o", Back: "/b"},
	"confirm.html": Confirm{UserID: "@alice:example.org", What: "reset", Deed: everyDeed},
	"setupfirst.html": SetUpFirst{Account{UserID: "@alice:example.org", Form: "x",
		Passkeys: PasskeysPart{Offered: true, Add: everyCeremony}}},
	"agree.html": Agree{UserID: "@alice:example.org", Account: "alice", What: "deedPassword",
		Ends: []Device{everyDevice, {ID: "NONE", Gone: true}}, Asks: everyDevice, Form: "x"},
	"bot.html": BotDetails{UserID: "@alice:example.org", Bot: everyBot, Deed: everyDeed},
	"newbot.html": NewBot{UserID: "@alice:example.org", Name: "Bell", May: "own", Latest: time.Unix(1, 0),
		Deed: everyDeed, Preview: &Preview{Open: []Request{{"maySync", "GET", "/sync"}},
			Closed: []Request{{"mayJoin", "POST", "/join"}}, From: "::1", Caveats: []string{"c"}}},
	"botmade.html":  BotMade{UserID: "@alice:example.org", Name: "Bell", Token: "t", Curl: "curl", Back: "/b"},
	"newemail.html": NewEmail{UserID: "@alice:example.org", Address: "a@example.org", Deed: everyDeed},
	"email.html":    EmailDetails{UserID: "@alice:example.org", Email: everyEmail, Deed: everyDeed},
	"showemail.html": ShowEmail{UserID: "@alice:example.org", Address: "a@example.org", Of: "@bob:example.org",
		Deed: everyDeed},
	"recover.html": Recover{Server: "example.org", User: "alice", Mail: true, Wrong: Wrong{Text: "again"}, Form: "x",
		SignIn: "/account"},
	"choose.html": Choose{UserID: "@alice:example.org", Other: "@bob:example.org", Factor: true, Rules: everyRules,
		Wrong: Wrong{Text: "chooseDiffer"}, Form: "x"},
	"linkover.html": LinkOver{Recover: "/recover", Server: "example.org"},
	"mailed.html":   Mailed{Address: "a@example.org", Server: "example.org", Account: "@alice:example.org", Form: "x"},
	"done.html":     Done{Text: "deviceLetIn", Then: "backToDevice", Back: "/a"},
	"failure.html":  Failure{Text: "misdirected", Detail: "client_id: unknown"},
})

// TestPages: every page says everything in every language.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, file := range pages() {
		file = path.Base(file)
		if file == "layout.html" {
			continue
		}
		for _, lang := range languages {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Language", lang+"-XX,fr;q=0.5")
			w := httptest.NewRecorder()
			if err := Render(w, r, 200, everyPage[file], Wrong{Text: "again"}); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			html := w.Body.String()
			if !strings.Contains(html, "</h1>\n<p class=\"wrong\" role=\"alert\">"+Say(lang, "again")) {
				t.Errorf("%s in %s does not say first why it comes: %s", file, lang, html)
			}
			if !strings.Contains(html, `<html lang="`+lang+`">`) || strings.Contains(html, "%!") {
				t.Errorf("%s in %s: %s", file, lang, html)
			}
			for _, label := range regexp.MustCompile(`<input id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
				if !strings.Contains(html, `<label for="`+label[1]+`">`) {
					t.Errorf("%s: the field %s has no label", file, label[1])
				}
			}
		}
	}
}

// TestTexts: every text that a page names is in every language, none is left over, and each takes the same values.
func TestTexts(t *testing.T) {
	t.Parallel()
	used := make(map[string]bool)
	templates := pages()
	for _, folder := range []string{"pages/parts", "pages/desk/parts"} {
		parts, err := fs.Glob(files, folder+"/*.html")
		if err != nil || len(parts) == 0 {
			t.Fatal(parts, err)
		}
		templates = append(templates, parts...)
	}
	for _, file := range templates {
		raw, err := files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\bt "(\w+)"`).FindAllStringSubmatch(string(raw), -1) {
			used[found[1]] = true
		}
	}
	var sources []string
	for _, wing := range []string{"oauth", "handlers", "homeserver"} {
		found, err := filepath.Glob("../" + wing + "/*.go")
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		sources = append(sources, found...)
	}
	sources = append(sources, "web.go")
	for _, file := range sources {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile(`(?:(?:Text|Then|Means): |gone\(|Say\(lang, )"(\w+)"`)
		for _, found := range named.FindAllStringSubmatch(string(code), -1) {
			used[found[1]] = true
		}
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for key, text := range texts[english] {
		if !used[key] {
			t.Errorf("%s is not used", key)
		}
		for _, lang := range languages {
			other := texts[lang][key]
			if other == "" || strings.Join(verbs.FindAllString(text, -1),
				"") != strings.Join(verbs.FindAllString(other, -1), "") {
				t.Errorf("%s in %s is %q", key, lang, other)
			}
		}
	}
	for _, lang := range languages {
		for key := range texts[lang] {
			if texts[english][key] == "" {
				t.Errorf("%s of %s is not in English", key, lang)
			}
		}
	}
	for key := range used {
		if texts[english][key] == "" {
			t.Errorf("%s is not there", key)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"": "en", "de": "de", "de-AT,en;q=0.5": "de", "fr": "en", "en-GB": "en",
		"fr,de;q=0.5": "de", "\x00;;": "en", strings.Repeat("de,", 5000): "de"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", header)
		if got := Language(r); got != want {
			t.Errorf("%.40q: %s", header, got)
		}
	}
}
