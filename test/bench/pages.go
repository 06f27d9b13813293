package main

import (
	"context"
	"fmt"
	"strings"

	rig "postern/test/rig/process"
)

// accountDevices is how many devices the account page lists.
const accountDevices = 10

// pages measures how long a person waits for a page that needs no hash: the account, with all that it shows.
func (b *bench) pages(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, a, err := s.app(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	defer a.Close()
	for range accountDevices {
		if _, err := a.pair(ctx); err != nil {
			return nil, err
		}
	}
	cookies, err := a.SignIn(ctx, a.url+"/account", rig.Consent{User: alice, Password: password})
	if err != nil {
		return nil, err
	}
	var header []string
	for _, c := range cookies {
		header = append(header, c.Name+"="+c.Value)
	}
	opens := load{clients: 1, request: func(out []byte, _, _ int) []byte {
		return append(out, "GET /account"+head+"Cookie: "+strings.Join(header, "; ")+"\r\n\r\n"...)
	}}
	if page, err := once(p, opens); err != nil || !strings.Contains(string(page), "@"+alice+":") {
		return nil, fmt.Errorf("the account page is %q, %w", page, err)
	}
	got, err := b.compare(ctx, "pages", side{"account", p, opens})
	if err != nil {
		return nil, err
	}
	return []row{{fmt.Sprintf("the account page, %d devices", accountDevices), got[0].times(), "", "", "≤ 5 ms"}}, nil
}
