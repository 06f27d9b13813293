package synapse

import "testing"

// TestRuns: a Synapse with its own authentication, a login, a stop and a start.
func TestRuns(t *testing.T) {
	t.Parallel()
	s := New(t, Options{})
	s.Register(t, "alice", "a long password", true)
	token, _ := s.Login(t, "alice", "a long password", "PHONE", true)["access_token"].(string)
	s.Stop(t)
	s.Run(t)
	if who := Call(t, "GET", s.URL+"/_matrix/client/v3/account/whoami", token, nil); who["user_id"] != "@alice:"+
		ServerName {
		t.Errorf("%v", who)
	}
	s.Stop(t)
	s.Delegate(t, "http://127.0.0.1:9/", "secret")
	s.Run(t)
	if status, _ := Try(t, "GET", s.URL+"/_matrix/client/v3/account/whoami", token, nil); status != 503 {
		t.Errorf("whoami without the other server: %d", status)
	}
}
