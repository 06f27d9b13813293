package oauth

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/web"
)

// retried is what the button of the queues does.
var retried = done{do: "retry", Then: "deskRetried"}

// queues shows what waits to be sent, and has what failed tried again.
func (e desk) queues() error {
	if e.did == retried.do {
		if err := e.server.DB.RetryDeliveries(e.by(), "", e.server.Now()); err != nil {
			return err
		}
		return e.leave(deskAt(deskQueues, "done", retried.do))
	}
	frame, err := e.frame(deskQueues, retried)
	if err != nil {
		return err
	}
	mails, err := e.mails()
	if err != nil {
		return err
	}
	page := web.Queues{Desk: frame, Queues: []web.Queue{mails}}
	if e.server.Outbox != nil {
		outbox, err := e.untold()
		if err != nil {
			return err
		}
		page.Queues = append(page.Queues, outbox)
	}
	return e.render(http.StatusOK, page)
}

// deliveryKinds are what deliveries are called, by the scheme of where they go.
var deliveryKinds = []web.Choice{
	{Value: "mailto", Text: "deskMail"},
	{Value: "https", Text: "deskWebhook"},
	{Value: "http", Text: "deskWebhook"},
}

// mails are mails and webhooks that wait. Of a webhook's address the host is shown: the rest may be a secret.
func (e desk) mails() (web.Queue, error) {
	q := web.Queue{Text: "deskMails", Means: "deskMailsMean"}
	n, _, err := e.server.DB.WaitingDeliveries(e.ctx, "", e.server.Now())
	if err != nil {
		return q, err
	}
	due := 0
	all, err := e.server.DB.Deliveries(e.ctx, e.server.Now(), pageOfDesk)
	for _, d := range all {
		to, err := url.Parse(d.Target)
		if err != nil {
			to = new(url.URL) // which is shown as nothing
		}
		whom := to.Host
		if whom == "" {
			whom, _ = url.PathUnescape(to.Opaque)
		}
		shows := web.Queued{Text: textOf(deliveryKinds, to.Scheme), Whom: shown(whom), Planned: d.Planned(),
			Since: e.moment(d.Created), Tries: d.Tries, Next: e.toCome(d.Due),
			Error: plain(strings.ReplaceAll(d.Error, d.Target, whom))}
		shows.Kind, shows.KindName = saidBy(d)
		if d.Localpart != "" {
			shows.About, shows.View = e.user(d.Localpart), deskAt(deskPerson, "name", d.Localpart)
		}
		unsendable := to.Scheme == "mailto" && !e.server.MailOn()
		q.NoMail = q.NoMail || unsendable
		q.Retry = q.Retry || d.Tries > 0 && !shows.Next.IsZero() && !unsendable
		q.List = append(q.List, shows)
		if !shows.Planned || shows.Next.IsZero() {
			due++
		}
	}
	q.More = max(0, n-due)
	return q, err
}

// mailTexts are what mails are called that tell of no event.
var mailTexts = []web.Choice{
	{Value: handlers.MailVerify, Text: "deskMailVerify"},
	{Value: handlers.MailReset, Text: "deskMailReset"},
	{Value: handlers.MailKnown, Text: "deskMailKnown"},
	{Value: handlers.MailNotice, Text: "deskMailNotice"},
}

// saidBy is what a delivery says: the name of a text or, where there is none, its kind. Of a notice to operators it is
// the event, which its id names after "notify".
func saidBy(d db.Delivery) (text, kind string) {
	kind = d.Kind
	if parts := strings.Split(d.ID, "/"); kind == handlers.MailNotice && len(parts) > 1 {
		kind = parts[1]
	}
	if text = cmp.Or(textOf(mailTexts, kind), textOf(eventTexts, kind)); text == "" {
		return "", plain(kind)
	}
	return text, ""
}

// toCome is a time that is to come; zero: it is over.
func (e desk) toCome(at time.Time) time.Time {
	if e.server.Now().Before(at) {
		return at
	}
	return time.Time{}
}

// untold is what the homeserver has to be told still.
func (e desk) untold() (web.Queue, error) {
	q := web.Queue{Text: "deskOutbox", Means: "deskOutboxMeans"}
	all, total, err := e.server.Outbox(e.ctx, pageOfDesk)
	if err != nil {
		return q, err
	}
	for _, w := range all {
		shows := web.Queued{Whom: e.user(w.Localpart), Device: shown(w.DeviceID), Since: e.moment(w.Since),
			Tries: w.Tries, Next: e.toCome(w.Due), Refused: w.Refused, Error: plain(w.Error)}
		q.List = append(q.List, shows)
	}
	q.More = total - len(all)
	return q, nil
}
