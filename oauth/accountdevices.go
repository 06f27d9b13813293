package oauth

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// devices fills the part of the account page that lists the sessions, of whichever API, the one used last first.
func (e accountPages) devices(has owned, page *web.Account) error {
	sessions := slices.Clone(has.sessions)
	slices.SortStableFunc(sessions, func(a, b db.Session) int { return b.Seen.At.Compare(a.Seen.At) })
	for _, s := range sessions {
		if !s.Bot { // see botList
			page.Devices = append(page.Devices, has.devices[s.DeviceID])
		}
	}
	return nil
}

// devicesOf are sessions as their owner sees them, by their device's id.
func (e accountPages) devicesOf(sessions []db.Session) (map[string]web.Device, error) {
	devices := make(map[string]web.Device, len(sessions))
	for _, s := range sessions {
		var err error
		if devices[s.DeviceID], err = e.deviceOf(s); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

// over reports whether a session is good for nothing any more until somebody logs in again.
func (e accountPages) over(s db.Session) bool {
	return s.State != db.Live || !s.Expires.IsZero() && !e.server.Now().Before(s.Expires)
}

// deviceOf is a session as its owner sees it. That it is in this browser is said of clients that are pages, and were
// let in here: of all others nothing tells it surely.
func (e accountPages) deviceOf(s db.Session) (web.Device, error) {
	d := web.Device{ID: shown(s.DeviceID), Name: shown(s.DisplayName), From: e.place(s.Seen.Addr),
		Used: e.moment(s.Seen.At), This: e.browser.Began(s.ID),
		Ended: e.over(s), View: action(actionDevice, s.DeviceID)}
	if s.Bot {
		d.View = action(actionTokens, s.DeviceID)
	}
	var err error
	d.App, err = e.appOf(s)
	return named(d, readAgent(s.Seen.Agent)), err
}

// appOf is what the client of a session is called; empty: nobody knows. It is read once a visit.
func (v *visit) appOf(s db.Session) (string, error) {
	name, known := v.apps[s.ClientID]
	if known || s.ClientID == "" {
		return name, nil
	}
	client, _, err := v.registered(v.ctx, s.ClientID)
	if err != nil {
		return "", err
	}
	if client != nil {
		name = shown(client.DisplayName())
	}
	if v.apps == nil {
		v.apps = make(map[string]string)
	}
	v.apps[s.ClientID] = name
	return name, nil
}

// place is an address as it looks from this browser. At the desk it is that of somebody else, and stays an address.
func (e accountPages) place(addr string) web.Place {
	if e.path == handlers.DeskPath {
		return web.Place{Addr: plain(addr)}
	}
	return web.Place{Addr: addr, Near: near(addr, handlers.CallerOf(e.ctx).Addr)}
}

// near reports whether an address is in the network of another one: it is the same, or has the same 64 bits in front,
// which is one network of IPv6.
func near(addr string, from netip.Addr) bool {
	a, err := netip.ParseAddr(addr)
	if err != nil || !from.IsValid() {
		return false
	}
	a, from = a.Unmap().WithZone(""), from.Unmap().WithZone("")
	if a.Is6() && from.Is6() {
		network, err := from.Prefix(64)
		return err == nil && network.Contains(a)
	}
	return a == from
}

func (e accountPages) moment(at time.Time) web.Moment { return web.Moment{At: at, Now: e.server.Now()} }

// device shows one, renames it, and signs it out.
func (e accountPages) device(account db.User) error {
	id := e.r.URL.Query().Get("device_id")
	session, err := e.server.DB.Device(e.ctx, account.Localpart, id)
	if errors.Is(err, db.ErrNotFound) {
		return e.gone("noDevice")
	}
	if err != nil {
		return err
	}
	if session.Bot {
		return e.leave(action(actionTokens, session.DeviceID))
	}
	switch e.did {
	case "view": // a button of the overview
		return e.leave(action(actionDevice, session.DeviceID))
	case "rename":
		return e.rename(account, session)
	}
	answered, wrong, err := e.act(account, "end", !e.proven(), func(db.User) error {
		return e.endSession(session, web.Done{Text: "deviceEnded", Then: "backToAccount"})
	})
	if answered || err != nil {
		return err
	}
	return e.devicePage(account, session, web.DeviceDetails{Called: session.DisplayName,
		Saved: e.r.URL.Query().Has("saved"), Deed: e.deed(account, wrong, !e.proven())})
}

// gone says that what a page was to show is not there, or is somebody else's.
func (e accountPages) gone(text string) error {
	return e.render(http.StatusNotFound, web.Done{Text: text, Then: "noDeviceThen", Back: handlers.AccountPath})
}

func (e accountPages) devicePage(account db.User, session db.Session, page web.DeviceDetails) error {
	var err error
	if page.Device, err = e.deviceOf(session); err != nil {
		return err
	}
	page.UserID, page.Called = e.userID(account), plain(page.Called)
	wrong := page.Deed.Wrong
	if page.WrongName.Text != "" {
		wrong = page.WrongName
	}
	return e.render(status(wrong), page)
}

// rename gives a device another name. What nobody sees is left out of it. The homeserver hears of it.
func (e accountPages) rename(account db.User, session db.Session) error {
	name := plain(e.typed("name"))
	if utf8.RuneCountInString(name) > db.MaxDeviceName {
		return e.devicePage(account, session, web.DeviceDetails{Called: name,
			WrongName: web.Wrong{Text: "nameTooLong", Values: []any{db.MaxDeviceName}},
			Deed:      e.deed(account, web.Wrong{}, !e.proven())})
	}
	err := e.server.DB.RenameDevice(e.ctx, account.Localpart, session.DeviceID, name)
	if errors.Is(err, db.ErrNotFound) {
		return e.gone("noDevice")
	}
	if err != nil {
		return err
	}
	return e.leave(action(actionDevice, session.DeviceID) + "&saved")
}

// endSession ends a device's session, or a bot's, and says so.
func (e accountPages) endSession(session db.Session, done web.Done) error {
	err := e.server.DB.EndSession(e.ctx, session.ID)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	done.Back = handlers.AccountPath
	return e.render(http.StatusOK, done)
}
