package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/web"
)

// queues shows what waits to be sent.
func (e desk) queues() error {
	frame, err := e.frame(deskQueues)
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
	n, _, err := e.server.DB.WaitingDeliveries(e.ctx)
	if err != nil {
		return q, err
	}
	all, err := e.server.DB.Deliveries(e.ctx, pageOfDesk)
	for _, d := range all {
		to, err := url.Parse(d.Target)
		if err != nil {
			to = new(url.URL) // which is shown as nothing
		}
		whom := to.Host
		if whom == "" {
			whom, _ = url.PathUnescape(to.Opaque)
		}
		q.List = append(q.List, web.Queued{Text: textOf(deliveryKinds, to.Scheme), Whom: shown(whom),
			Since: e.moment(d.Created), Tries: d.Tries, Next: e.toCome(d.Due),
			Error: plain(strings.ReplaceAll(d.Error, d.Target, whom))})
	}
	q.More = max(0, n-len(all))
	return q, err
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
