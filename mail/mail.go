// Package mail sends the deliveries that wait in the database (db.Delivery): mails by SMTP, with texts in the reader's
// language, and whatever else a [Transport] is given for.
//
// # A mail's way
//
// A handler queues one that somebody has asked for (handlers.Server.SendMail). [Notices] queues those that tell the
// owner of an account what has happened to it, in the transaction of the event, so that one is there if and only if the
// other is. A [Sender], of whatever replica, claims some of what is due for a while, hands each to its [Transport],
// and settles it in the database before it takes the next. There is one for mails and one for webhooks, so that neither
// waits for a receiver of the other's.
//
// # Laws
//
//  1. A mail that was queued is sent, whatever is killed: it is settled only when the server at the other side has
//     taken it. One whose sender dies in between is sent once more when its claim ends, with the same Message-ID, by
//     which mail programs show it once. So it comes once or, after a crash, twice.
//  2. A mail waits while the server is away, is full or says "later" (4xx): a minute, then twice as long each time, up
//     to four hours. It is given up when the server refuses it for good (5xx), or when it has expired: with the link
//     that it holds, else after three days. What is given up is logged.
//  3. Nothing waits for ever: each step of SMTP has a deadline, and a batch ends before its claim does.
//  4. Nobody can write a mail by what they say of themselves: addresses are handlers.Address, a value is one line, and
//     what a stranger chose (the name of a device) cannot hold what a mail program makes a link of.
//  5. A mail loads nothing and reports nothing: no pictures, no links but the one that it is about.
//  6. The server's certificate is checked, and STARTTLS is required, unless the operator says otherwise; on the
//     loopback interface neither is needed.
//
// A link is a secret: such a mail is kept sealed, and sent only if it was. Notices are plain rows, which the command
// line can write without the master key.
//
//	notices := mail.NewNotices()  // db.Config.OnEvent of every process that changes accounts is notices.OnEvent
//	_, err = mail.Enable(ctx, d, true)  // a server that sends
//	smtp, err := mail.NewSMTP(settings, letters)
//	s := mail.New(mail.Config{DB: d, News: notices.News(), To: mail.Mails, Transport: smtp})
//	s.Start()
//	defer s.Close()
package mail
