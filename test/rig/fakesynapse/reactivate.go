package fakesynapse

// reactivate opens an account again; before its background updates have ended Synapse 1.163 answers 500 (see Mended).
func (s *Server) reactivate(_ call, u *User) *reply {
	if !s.mended {
		return failure
	}
	u.Deactivated = false
	return &reply{200, nothing}
}

// Mended makes reactivate_user work, as once the background updates have ended.
func (s *Server) Mended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mended = true
}
