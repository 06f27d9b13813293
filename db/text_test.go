package db

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// strange are texts of which PostgreSQL takes none, although a client can send all of them.
var strange = []string{"a\x00b", "\x00", "a\xffb", "\xc3", "\xed\xa0\x80"}

// TestStrangeTexts calls every method of DB with such texts wherever it takes one: the database is well, so none may
// say that it is not, and what was refused has changed nothing. Both engines answer alike, since the table says what is
// answered.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	for _, text := range strange {
		d := furnished(t)
		before := d.holdings(t)
		called := 0
		for i := range reflect.TypeFor[*DB]().NumMethod() {
			m := reflect.TypeFor[*DB]().Method(i)
			args, texts := argumentsOf(m.Type, text)
			if texts == 0 {
				continue
			}
			called++
			call := reflect.ValueOf(d).MethodByName(m.Name).Call
			if m.Type.IsVariadic() {
				call = reflect.ValueOf(d).MethodByName(m.Name).CallSlice
			}
			results := call(args)
			if len(results) == 0 {
				continue
			}
			err, _ := results[len(results)-1].Interface().(error)
			if want := answers[m.Name]; !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s with %q: %v, want %v", m.Name, text, err, want)
			}
		}
		if called < 25 {
			t.Errorf("only %d methods were called", called)
		}
		if diff := cmp.Diff(before, d.holdings(t)); diff != "" {
			t.Errorf("%q left something:\n%s", text, diff)
		}
		if err := d.Ping(bg); err != nil {
			t.Error(err)
		}
	}
}

// furnished has one account with one session, and what holdings asks for.
func furnished(t *testing.T) *DB {
	t.Helper()
	d := fresh(t)
	login(t, d, "one", "A")
	if err := d.SetSetting(bg, "server_name", "example.org"); err != nil {
		t.Fatal(err)
	}
	return d
}

// answers says what a method returns for a text that is in no row; nothing: no error.
var answers = map[string]error{
	"AddClient": ErrText, "AddInteraction": ErrText, "KeepClient": ErrText, "AddRegistrationToken": ErrText,
	"CreateUser": ErrText, "Record": ErrText, "RecordHourly": ErrText, "Spend": ErrText, "TakePasskey": ErrText,
	"SetSetting": ErrText, "ChangeSetting": ErrText, "Deliver": ErrText,

	"ChangeRegistrationToken": ErrNotFound, "DeleteRegistrationToken": ErrNotFound,
	"AddEmail": ErrConflict, "SetEmails": ErrConflict, "SettleDelivery": ErrConflict,
	"DeliverAsked": ErrConflict, "Email": ErrNotFound, "RemoveEmail": ErrNotFound,

	"ApproveUser": ErrNotFound, "RejectUser": ErrNotFound, "WaitingUser": ErrNotFound,
	"AdvanceGeneration": ErrNotFound, "CatchUp": ErrNotFound, "Browser": ErrNotFound, "Client": ErrNotFound,
	"CountedUser": ErrNotFound, "EndBrowser": ErrNotFound, "Deactivate": ErrNotFound, "Device": ErrNotFound,
	"EndDevice": ErrNotFound, "EndInteraction": ErrNotFound, "EndSession": ErrNotFound, "Interaction": ErrNotFound,
	"LockUser": ErrNotFound, "Reactivate": ErrNotFound, "RenameDevice": ErrNotFound, "SetAdmin": ErrNotFound,
	"RemoveClient": ErrNotFound, "RegistrationToken": ErrNotFound, "RevokeRegistrationToken": ErrNotFound,
	"Session": ErrNotFound, "Setting": ErrNotFound, "UnlockUser": ErrNotFound,
	"User": ErrNotFound, "UserNamed": ErrNotFound,

	"AddBrowser": ErrConflict, "ChangePassword": ErrConflict, "Register": ErrConflict, "Rehash": ErrConflict,
	"SaveInteraction": ErrConflict, "StartSession": ErrConflict,
	"ReserveRegistrationToken": ErrTokenSpent,
	"AddFactor":                ErrConflict, "GuessCode": ErrConflict, "TakeCode": ErrConflict,
	"Factor": ErrNotFound, "RemoveFactor": ErrNotFound, "RenameFactor": ErrNotFound, "ReplaceRecovery": ErrNotFound,
	"UseRecovery": ErrNotFound,
}

// argumentsOf fills every text that a method takes, in structures too; how many there are is 0 for a method that takes
// a function, or SQL.
func argumentsOf(m reflect.Type, text string) (args []reflect.Value, texts int) {
	for i := 1; i < m.NumIn(); i++ {
		in := m.In(i)
		if in.Kind() == reflect.Func || in == reflect.TypeFor[[]any]() {
			return nil, 0
		}
		v := reflect.New(in).Elem()
		if in == reflect.TypeFor[context.Context]() {
			v.Set(reflect.ValueOf(bg))
		} else {
			texts += fillIn(v, text)
		}
		args = append(args, v)
	}
	return args, texts
}

// fillIn puts a text wherever there is room for one, and something into the rest.
func fillIn(v reflect.Value, text string) (texts int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return 1
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fillIn(v.Index(0), text)
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.New(v.Type().Elem()))
			return fillIn(v.Elem(), text)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(t0))
			return 0
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				texts += fillIn(f, text)
			}
		}
	}
	return texts
}

// TestStrangeTextUndoesAll holds that what an operation wrote before it came to a text that is not stored goes with it.
func TestStrangeTextUndoesAll(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	before := d.holdings(t)
	err := d.Write(bg, func(tx *Tx) error {
		if _, err := tx.end(endDevice, "alice", "A"); err != nil {
			return err
		}
		return tx.Exec(setSetting, "name", strange[0])
	})
	if !errors.Is(err, ErrText) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, d.holdings(t)); diff != "" {
		t.Error(diff)
	}
	if n, err := d.EndDevices(bg, "alice", []string{strange[0], "A", strange[2]}); n != 1 || err != nil {
		t.Errorf("ended %d, %v; a device that nobody can have is gone already", n, err)
	}
}

func TestStorable(t *testing.T) {
	t.Parallel()
	args := []any{"a", 1, "b\x00", []byte{0xff}, strings.Repeat("é", 3)}
	want := []any{"a", 1, nil, []byte{0xff}, "ééé"}
	if diff := cmp.Diff(want, storable(args)); diff != "" {
		t.Error(diff)
	}
	if args[2] != "b\x00" {
		t.Error("the caller's arguments have changed")
	}
}
