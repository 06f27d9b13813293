package fakesynapse

// reactivate opens an account again; on SQLite Synapse 1.163 only answers 500 (see Mended).
func (s *Server) reactivate(_ call, u *User) *reply {
	if !s.mended {
		return failure
	}
	u.Deactivated = false
	return &reply{200, nothing}
}

// Mended makes reactivate_user work, as on PostgreSQL.
func (s *Server) Mended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mended = true
}
