package main

import "context"

type specWatch struct{}

// Run is yet to come.
func (cmd *specWatch) Run(ctx context.Context, w world) error { return nil }
