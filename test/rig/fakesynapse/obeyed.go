package fakesynapse

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The calls as rest/synapse/mas in Synapse has them.
var obeyed = map[string]rule{
	"query_user":             {method: http.MethodGet, missing: "M_MISSING_PARAM", do: known((*Server).query)},
	"is_localpart_available": {method: http.MethodGet, missing: "M_UNKNOWN", do: (*Server).available},
	"provision_user": {method: http.MethodPost, apart: []string{"displayname", "avatar_url", "emails"},
		do: (*Server).provision, fields: []field{whom,
			{name: "unset_displayname", fits: isTruth}, {name: "set_displayname", nullable: true, fits: isText},
			{name: "unset_avatar_url", fits: isTruth}, {name: "set_avatar_url", nullable: true, fits: isText},
			{name: "unset_emails", fits: isTruth}, {name: "set_emails", nullable: true, fits: isTexts},
			{name: "locked", nullable: true, fits: isTruth}}},
	"delete_user": {method: http.MethodPost, fields: []field{whom, {name: "erase", required: true, fits: isTruth}},
		do: known((*Server).deleteUser)},
	"reactivate_user": {method: http.MethodPost, fields: []field{whom}, do: known((*Server).reactivate)},
	"upsert_device": {method: http.MethodPost,
		fields: []field{whom, which, {name: "display_name", nullable: true, fits: isText}},
		do:     known((*Server).upsert)},
	"delete_device": {method: http.MethodPost, fields: []field{whom, which}, do: known((*Server).deleteDevice)},
	"update_device_display_name": {method: http.MethodPost,
		fields: []field{whom, which, {name: "display_name", required: true, fits: isText}},
		do:     known((*Server).rename)},
	"sync_devices": {method: http.MethodPost,
		fields: []field{whom, {name: "devices", required: true, fits: isTexts}}, do: known((*Server).syncDevices)},
	"allow_cross_signing_reset": {method: http.MethodPost, fields: []field{whom}, do: known((*Server).allowReset)},
}

// known is for calls about users who must be there.
func known(do func(*Server, call, *User) *reply) func(*Server, call) *reply {
	return func(s *Server, c call) *reply {
		u := s.users[c.localpart()]
		if u == nil {
			return refuse(404, "M_NOT_FOUND", "User not found")
		}
		return do(s, c, u)
	}
}

var nothing = map[string]any{}

func (s *Server) query(c call, u *User) *reply {
	return &reply{200, map[string]any{"user_id": "@" + c.localpart() + ":home.test", "display_name": c.localpart(),
		"avatar_url":   nil,
		"is_suspended": false, "is_deactivated": u.Deactivated}}
}

var (
	invalid = regexp.MustCompile(`[^a-z0-9._=\-/+]`)
	numeric = regexp.MustCompile(`^[0-9]+$`)
)

func (s *Server) available(c call) *reply {
	name := c.localpart()
	switch {
	case invalid.MatchString(name):
		return refuse(400, "M_INVALID_USERNAME", "User ID can only contain characters a-z, 0-9, or '=_-./+'")
	case name == "":
		return refuse(400, "M_INVALID_USERNAME", "User ID cannot be empty")
	case name[0] == '_':
		return refuse(400, "M_INVALID_USERNAME", "User ID may not begin with _")
	case len("@"+name+":home.test") > 255:
		return refuse(400, "M_INVALID_USERNAME", "User ID may not be longer than 255 characters")
	}
	for other := range s.users {
		if strings.EqualFold(other, name) {
			return refuse(400, "M_USER_IN_USE", "User ID already taken.")
		}
	}
	if numeric.MatchString(name) {
		return refuse(400, "M_INVALID_USERNAME", "Numeric user IDs are reserved for guest users.")
	}
	return &reply{200, nothing}
}

func (s *Server) provision(c call) *reply {
	status := 200
	u := s.users[c.localpart()]
	if u == nil {
		if no := s.available(c); no.status != 200 {
			return no
		}
		if s.collides {
			s.collides = false
			s.provide(c.localpart())
			return refuse(400, "M_USER_IN_USE", "User ID already taken.")
		}
		u, status = s.provide(c.localpart()), 201
	}
	if locked, told := c.body["locked"].(bool); told {
		u.Locked = locked
	}
	return &reply{status, nothing}
}

func (s *Server) deleteUser(c call, u *User) *reply {
	clear(u.Devices)
	u.Deactivated, u.Erased = true, u.Erased || c.body["erase"].(bool)
	return &reply{200, nothing}
}

func tooLong(name string) *reply {
	if utf8.RuneCountInString(name) > 100 {
		return refuse(400, "M_TOO_LARGE", "Device display name is too long (max 100)")
	}
	return nil
}

func (s *Server) upsert(c call, u *User) *reply {
	name, named := c.body["display_name"].(string)
	if no := tooLong(name); no != nil {
		return no
	}
	d, there := u.Devices[c.text("device_id")]
	status := 200
	if !there {
		s.made++
		d, status = Device{Made: s.made}, 201
	}
	if named {
		d.Name = name
	}
	u.Devices[c.text("device_id")] = d
	return &reply{status, nothing}
}

func (s *Server) deleteDevice(c call, u *User) *reply {
	delete(u.Devices, c.text("device_id"))
	return &reply{204, nothing}
}

func (s *Server) rename(c call, u *User) *reply {
	if no := tooLong(c.text("display_name")); no != nil {
		return no
	}
	d, there := u.Devices[c.text("device_id")]
	if !there {
		return refuse(404, "M_NOT_FOUND", "Not found")
	}
	d.Name = c.text("display_name")
	u.Devices[c.text("device_id")] = d
	return &reply{200, nothing}
}

func (s *Server) syncDevices(c call, u *User) *reply {
	var wanted []string
	for _, id := range c.body["devices"].([]any) {
		wanted = append(wanted, id.(string))
		if _, there := u.Devices[id.(string)]; !there {
			s.made++
			u.Devices[id.(string)] = Device{Made: s.made}
		}
	}
	for id := range u.Devices {
		if !slices.Contains(wanted, id) {
			delete(u.Devices, id)
		}
	}
	return &reply{200, nothing}
}

func (s *Server) allowReset(c call, _ *User) *reply {
	s.resets = append(s.resets, c.localpart())
	return &reply{200, nothing}
}
