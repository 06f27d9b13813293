package oauth

import (
	"errors"
	"net/http"
	"slices"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// personDeed is what an operator does to an account. What is asked before it says, with Means, what it comes to.
type personDeed struct {
	Ask  web.Prove
	Then string // the name of a text that says that it is done
	do   func(desk, db.User) error
}

var personDeeds = []personDeed{
	{Ask: web.Prove{Do: "lock", Text: "deskLock", Means: "deskLockMeans"}, Then: "deskLocked",
		do: desk.lock},
	{Ask: web.Prove{Do: "unlock", Text: "deskUnlock"}, Then: "deskUnlocked",
		do: desk.unlock},
	{Ask: web.Prove{Do: "deactivate", Text: "deskDeactivate", Means: "deskDeactivateMeans"}, Then: "deskDeactivated",
		do: desk.deactivate},
	{Ask: web.Prove{Do: "erase", Text: "deskErase", Means: "deskEraseMeans"}, Then: "deskDeactivated",
		do: desk.erase},
	{Ask: web.Prove{Do: "reactivate", Text: "deskReactivate"}, Then: "deskReactivated",
		do: desk.reactivate},
	{Ask: web.Prove{Do: "make", Text: "deskMakeAdmin", Means: "deskMakeAdminMeans"}, Then: "deskMadeAdmin",
		do: desk.makeAdmin},
	{Ask: web.Prove{Do: "unmake", Text: "deskUnmakeAdmin", Means: "deskUnmakeAdminMeans"}, Then: "deskUnmadeAdmin",
		do: desk.unmakeAdmin},
	{Ask: web.Prove{Do: "clear", Text: "deskClear", Means: "deskClearMeans"}, Then: "deskCleared",
		do: desk.clearFactors},
	{Ask: web.Prove{Do: "take email", Text: "removeEmail", Means: "removeEmailMeans"}, Then: "deskEmailTaken",
		do: desk.takeEmail},
	{Ask: web.Prove{Do: "end all", Text: "deskEndAll", Means: "deskEndAllMeans"}, Then: "deskEndedAll",
		do: desk.endAll},
	{Ask: web.Prove{Do: "end", Text: "signOutDevice", Means: "deviceEnds"}, Then: "deskEnded",
		do: desk.end},
}

// justAdded is what newPerson has done.
var justAdded = done{do: "add", Then: "deskAdded"}

// person shows an account, and does to it what a form says.
func (e desk) person() error {
	whom, err := e.server.DB.User(e.ctx, e.asked("name"))
	if errors.Is(err, db.ErrNotFound) {
		return e.peoplePage(http.StatusNotFound, web.Wrong{Text: "deskGone"})
	}
	if err != nil {
		return err
	}
	for _, deed := range personDeeds {
		if deed.Ask.Do == e.did {
			return e.doTo(whom, deed)
		}
	}
	switch e.did {
	case linkDeed.Do:
		return e.link(whom)
	case giveDeed.Do:
		return e.giveEmail(whom)
	}
	return e.personPage(whom, web.Wrong{})
}

// doTo does something to an account, and goes on to the page that says so.
func (e desk) doTo(whom db.User, deed personDeed) error {
	if sure, err := e.sureOf(whom, deed.Ask); !sure {
		return err
	}
	if err := deed.do(e, whom); err != nil && !errors.Is(err, db.ErrNotFound) { // it is gone already
		return err
	}
	return e.leave(deskAt(deskPerson, "name", whom.Localpart, "done", deed.Ask.Do))
}

// sureOf reports whether whoever asks for something has shown that it is them, and said that they mean it. Nobody does
// anything to their own account here: they could shut themselves out.
func (e desk) sureOf(whom db.User, ask web.Prove) (bool, error) {
	if whom.Localpart == e.who.Localpart {
		return false, e.personPage(whom, web.Wrong{Text: "deskOwn"})
	}
	ask.Whom, ask.Address = e.user(whom.Localpart), shown(e.typed("address"))
	if ask.Means == "" {
		return e.sure(e.who, ask)
	}
	return e.meant(e.who, ask)
}

// linkDeed makes a link with which an account's owner chooses a password.
var linkDeed = web.Prove{Do: "link", Text: "deskLink", Means: "deskLinkAsks"}

func (e desk) link(whom db.User) error {
	if whom.State() != db.UserActive {
		return e.personPage(whom, web.Wrong{Text: "deskNoLink"})
	}
	if sure, err := e.sureOf(whom, linkDeed); !sure {
		return err
	}
	return e.linkPage(whom)
}

// linkPage makes the link and shows it, this once.
func (e desk) linkPage(whom db.User) error {
	frame, err := e.frame(deskPeople)
	if err != nil {
		return err
	}
	link, err := e.server.ResetLink(e.by(), whom, handlers.OperatorLinkLife)
	if err != nil {
		return err
	}
	return e.render(http.StatusOK, web.PersonLink{Desk: frame, Whom: e.user(whom.Localpart), Link: link,
		Until: e.server.Now().Add(handlers.OperatorLinkLife), Back: deskAt(deskPerson, "name", whom.Localpart)})
}

func (e desk) lock(whom db.User) error {
	return e.server.DB.LockUser(e.by(), whom.Localpart, e.server.Now())
}

func (e desk) unlock(whom db.User) error { return e.server.DB.UnlockUser(e.by(), whom.Localpart) }

func (e desk) deactivate(whom db.User) error { return e.close(whom, false) }
func (e desk) erase(whom db.User) error      { return e.close(whom, true) }

func (e desk) close(whom db.User, erase bool) error {
	_, err := e.server.DB.Deactivate(e.by(), whom.Localpart, e.server.Now(), erase)
	return err
}

func (e desk) reactivate(whom db.User) error { return e.server.Reactivate(e.by(), whom.Localpart) }

func (e desk) makeAdmin(whom db.User) error {
	return e.server.DB.SetAdmin(e.by(), whom.Localpart, true)
}

func (e desk) unmakeAdmin(whom db.User) error {
	return e.server.DB.SetAdmin(e.by(), whom.Localpart, false)
}

func (e desk) clearFactors(whom db.User) error {
	_, err := e.server.DB.ClearFactors(e.by(), whom.Localpart)
	return err
}

func (e desk) endAll(whom db.User) error {
	_, err := e.server.DB.EndOthers(e.by(), whom.Localpart, "") // but in no browser
	return err
}

func (e desk) end(whom db.User) error {
	return e.server.DB.EndDevice(e.by(), whom.Localpart, e.asked("device_id"))
}

// personPage shows an account.
func (e desk) personPage(whom db.User, wrong web.Wrong) error {
	all := []done{justAdded, {do: giveDeed.Do, Then: "deskEmailGiven"}}
	for _, deed := range personDeeds {
		all = append(all, done{deed.Ask.Do, deed.Then})
	}
	frame, err := e.frame(deskPeople, all...)
	if err != nil {
		return err
	}
	frame.Wrong = wrong
	page := web.Person{Desk: frame, Own: whom.Localpart == e.who.Localpart, Closed: !whom.Deactivated.IsZero(),
		Locked: !whom.Locked.IsZero(), Action: deskAt(deskPerson, "name", whom.Localpart),
		Past: deskAt(deskEvents, "name", whom.Localpart)}
	has, err := e.owned(whom)
	if err != nil {
		return err
	}
	page.Person = e.personLine(db.CountedUser{User: whom, Sessions: len(has.sessions)})
	for _, fill := range []func(owned, *web.Person) error{e.personDevices, e.personFactors, e.personEmails,
		e.personEvents} {
		if err := fill(has, &page); err != nil {
			return err
		}
	}
	return e.render(status(wrong), page)
}

// personDevices fills in the sessions, the one used last first, and the browsers.
func (e desk) personDevices(has owned, page *web.Person) error {
	sessions := slices.Clone(has.sessions)
	slices.SortStableFunc(sessions, func(a, b db.Session) int { return b.Seen.At.Compare(a.Seen.At) })
	page.More = max(0, len(sessions)-pageOfDesk)
	for _, s := range sessions[:len(sessions)-page.More] {
		page.Devices = append(page.Devices, web.PersonDevice{Device: has.devices[s.DeviceID], Bot: s.Bot,
			End: deskAt(deskPerson, "name", s.Localpart, "device_id", s.DeviceID)})
	}
	browsers, err := e.liveBrowsers(has.account)
	for _, b := range browsers {
		page.Browsers = append(page.Browsers, e.browserOf(b))
	}
	return err
}

// factorTexts are what the kinds of factors are called.
var factorTexts = map[string]string{db.FactorPasskey: "passkey", db.FactorCodes: "oneTimeCodes"}

func (e desk) personFactors(has owned, page *web.Person) error {
	for _, f := range has.factors {
		if f.Kind == db.FactorRecovery {
			page.Recovery++
			continue
		}
		page.Factors = append(page.Factors, web.Factor{Kind: factorTexts[f.Kind], Name: shown(f.Name),
			Added: e.moment(f.Created), Used: e.moment(f.Used)})
	}
	return nil
}

func (e desk) personEvents(has owned, page *web.Person) error {
	events, err := e.server.DB.History(e.ctx, has.account.Localpart, 0, recentEvents)
	for _, event := range events {
		shows := e.deskEvent(event, has.devices)
		shows.UserID = "" // it is this page
		page.Events = append(page.Events, shows)
	}
	return err
}
