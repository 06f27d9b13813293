package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/front"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
)

// Config is what the API needs. Every field but Secret must be set.
type Config struct {
	Server *handlers.Server
	Queue  *outbox.Queue

	// Enter checks the access token of a request, and puts whose it is into the context.
	Enter func(r *http.Request) (context.Context, error)

	// Provision makes the homeserver know a user, and User says what it knows of one; synapse.ErrNotFound: nothing.
	Provision func(ctx context.Context, localpart, deviceID, displayName string) error
	User      func(ctx context.Context, localpart string) (synapse.User, error)

	// Adopt makes an account of a user that only the homeserver knows. Nobody can log in to it by password.
	Adopt func(ctx context.Context, localpart string) (db.User, error)

	// DeviceGone logs out softly whose device the homeserver does not have any more.
	DeviceGone func(ctx context.Context, session db.Session) error

	// Secret is the one by which accounts are made at v1/register; empty: nobody makes any there.
	Secret string
}

// API answers the calls.
type API struct{ Config }

// New makes one.
func New(c Config) *API { return &API{c} }

// Operation says what becomes of a request, if it does not just pass.
func (a *API) Operation(method, path string) (op front.Operation, found bool) {
	call := Find(method, path)
	if call.Kind == Passes {
		return op, false
	}
	op = call.operation(a, call)
	op.Path = path
	return op, true
}

// request is a request of an administrator.
type request struct {
	*http.Request
	who  *handlers.Caller // whoever asks
	w    http.ResponseWriter
	call Call
	next http.Handler // takes the request to the homeserver; nil where it has no part
}

// answers is a call that this server answers with a JSON object, for an administrator.
func answers(f func(a *API, r request) (any, error)) func(*API, Call) front.Operation {
	return func(a *API, c Call) front.Operation {
		return a.handler(func(w http.ResponseWriter, r *http.Request) (any, error) {
			admitted, err := a.admitted(w, r, c, nil)
			if err != nil {
				return nil, err
			}
			answer, err := f(a, admitted)
			if err == nil {
				a.log(admitted)
			}
			return answer, err
		})
	}
}

// log writes down what an administrator has done. A registration token is a secret.
func (a *API) log(r request) {
	if r.Method == http.MethodGet {
		return
	}
	user := ""
	if len(r.call.Args) > 0 && r.call.Args[0] != "" && r.call.Args[0][0] == '@' {
		user = r.call.Args[0]
	}
	a.Server.Log.Info("an administrator used the admin API", "by", r.who.Session.Localpart,
		"call", r.call.Method+" "+r.call.Path, "user", user)
}

// open is a call that needs no access token.
func open(f func(a *API, r request) (any, error)) func(*API, Call) front.Operation {
	return func(a *API, c Call) front.Operation {
		return a.handler(func(w http.ResponseWriter, r *http.Request) (any, error) {
			who := a.Server.Caller(r)
			r = r.WithContext(handlers.WithCaller(r.Context(), who))
			return f(a, request{Request: r, who: who, w: w, call: c})
		})
	}
}

// handler writes what a function gives as JSON.
func (a *API) handler(f func(http.ResponseWriter, *http.Request) (any, error)) front.Operation {
	return front.Operation{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Server.Answer(w, r, "admin API", func(w http.ResponseWriter, r *http.Request) error {
			answer, err := f(w, r)
			if err != nil {
				return asSynapse(err)
			}
			return reply(w, answer)
		})
	})}
}

// through is a call in which the homeserver has a part.
func through(f func(a *API, r request) error) func(*API, Call) front.Operation {
	return func(a *API, c Call) front.Operation {
		return front.Operation{Amend: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			a.Server.Answer(w, r, "admin API", func(w http.ResponseWriter, r *http.Request) error {
				admitted, err := a.admitted(w, r, c, next)
				if err == nil {
					err = f(a, admitted)
				}
				return asSynapse(err)
			})
		}}
	}
}

// admitted refuses whoever is no administrator. Synapse, assert_requester_is_admin.
func (a *API) admitted(w http.ResponseWriter, r *http.Request, c Call, next http.Handler) (request, error) {
	ctx, err := a.Enter(r)
	if err != nil {
		return request{}, err
	}
	who := handlers.CallerOf(ctx)
	if !who.Session.Admin {
		return request{}, NotAdmin()
	}
	ctx = handlers.WithCaller(ctx, who.Operator("Synapse's admin API: "+who.Session.Localpart))
	return request{Request: r.WithContext(ctx), who: who, w: w, call: c, next: next}, nil
}

// NotAdmin refuses a request of somebody who is no administrator.
func NotAdmin() error {
	return amend.Refused(http.StatusForbidden, "M_FORBIDDEN", "You are not a server admin")
}

// asSynapse gives an error the words that tools look for in Synapse's.
func asSynapse(err error) error {
	var refusal *handlers.Error
	if errors.As(err, &refusal) && refusal.Code == "M_USER_IN_USE" {
		said := *refusal
		said.Message = "User ID already taken." // which Ansible playbooks compare
		return &said
	}
	return err
}

// reply writes JSON that no cache keeps and pages of any origin may read: some of the tools are pages.
func reply(w http.ResponseWriter, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err // unreachable: strings, numbers and booleans
	}
	handlers.OpenToBrowsers(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // if it fails the client is gone
	return nil
}

// account finds an account; known says whether there is one.
func (a *API) account(ctx context.Context, localpart string) (account db.User, known bool, err error) {
	account, err = a.Queue.DB.User(ctx, localpart)
	if errors.Is(err, db.ErrNotFound) {
		return account, false, nil
	}
	return account, err == nil, err
}
