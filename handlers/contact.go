package handlers

import (
	"context"

	"postern/gen"
)

// There is neither mail nor text messages here: what would need them is refused in words for the person whose client
// shows them, and with the errcodes of a Synapse that has neither. Client-Server API v1.19, "Password management",
// "Account registration" and "Adding Account Administrative Contact Information".

// What these operations read: nothing. See logout.go.
var (
	_ = struct{}(gen.RequestTokenToResetPasswordEmailRequestObject{})
	_ = struct{}(gen.RequestTokenToResetPasswordMSISDNRequestObject{})
	_ = struct{}(gen.RequestTokenToRegisterEmailRequestObject{})
	_ = struct{}(gen.RequestTokenToRegisterMSISDNRequestObject{})
	_ = struct{}(gen.RequestTokenTo3PIDEmailRequestObject{})
	_ = struct{}(gen.RequestTokenTo3PIDMSISDNRequestObject{})
	_ = struct{}(gen.Add3PIDRequestObject{})
	_ = struct{}(gen.Delete3PidFromAccountRequestObject{})
)

func noReset() *Error {
	return badRequest("M_UNKNOWN", "This server sends neither mail nor text messages, so it cannot reset a password "+
		"that way. Ask its administrator for a new one.")
}

func noRegistration() *Error {
	return badRequest("M_UNKNOWN", "This server sends neither mail nor text messages. Register without an address "+
		"and without a phone number.")
}

func noVerification() *Error {
	return badRequest("M_THREEPID_MEDIUM_NOT_SUPPORTED", "This server sends neither mail nor text messages, so an "+
		"address or a phone number cannot be added to the account.")
}

func noChange() *Error {
	return badRequest("M_FORBIDDEN", "Addresses and phone numbers of an account cannot be changed on this server.")
}

// RequestTokenToResetPasswordEmail implements POST /account/password/email/requestToken.
func (s *Server) RequestTokenToResetPasswordEmail(context.Context,
	gen.RequestTokenToResetPasswordEmailRequestObject) (gen.RequestTokenToResetPasswordEmailResponseObject, error) {
	return nil, noReset()
}

// RequestTokenToResetPasswordMSISDN implements POST /account/password/msisdn/requestToken.
func (s *Server) RequestTokenToResetPasswordMSISDN(context.Context,
	gen.RequestTokenToResetPasswordMSISDNRequestObject) (gen.RequestTokenToResetPasswordMSISDNResponseObject, error) {
	return nil, noReset()
}

// RequestTokenToRegisterEmail implements POST /register/email/requestToken.
func (s *Server) RequestTokenToRegisterEmail(context.Context,
	gen.RequestTokenToRegisterEmailRequestObject) (gen.RequestTokenToRegisterEmailResponseObject, error) {
	return nil, noRegistration()
}

// RequestTokenToRegisterMSISDN implements POST /register/msisdn/requestToken.
func (s *Server) RequestTokenToRegisterMSISDN(context.Context,
	gen.RequestTokenToRegisterMSISDNRequestObject) (gen.RequestTokenToRegisterMSISDNResponseObject, error) {
	return nil, noRegistration()
}

// RequestTokenTo3PIDEmail implements POST /account/3pid/email/requestToken.
func (s *Server) RequestTokenTo3PIDEmail(context.Context,
	gen.RequestTokenTo3PIDEmailRequestObject) (gen.RequestTokenTo3PIDEmailResponseObject, error) {
	return nil, noVerification()
}

// RequestTokenTo3PIDMSISDN implements POST /account/3pid/msisdn/requestToken.
func (s *Server) RequestTokenTo3PIDMSISDN(context.Context,
	gen.RequestTokenTo3PIDMSISDNRequestObject) (gen.RequestTokenTo3PIDMSISDNResponseObject, error) {
	return nil, noVerification()
}

// Add3PID implements POST /account/3pid/add.
func (s *Server) Add3PID(context.Context, gen.Add3PIDRequestObject) (gen.Add3PIDResponseObject, error) {
	return nil, noChange()
}

// Delete3PidFromAccount implements POST /account/3pid/delete.
func (s *Server) Delete3PidFromAccount(context.Context,
	gen.Delete3PidFromAccountRequestObject) (gen.Delete3PidFromAccountResponseObject, error) {
	return nil, noChange()
}
