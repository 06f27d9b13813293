package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"
)

// addressOf finds the client's address. X-Forwarded-For is read from the right, past the proxies that are trusted and
// no further: what stands left of them anybody could have written. An entry may have a port, as some proxies write it.
// With an entry that cannot be read everybody behind that proxy counts as the proxy, which the log says once.
func (s *Server) addressOf() echo.IPExtractor {
	if len(s.TrustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range s.TrustedProxies {
		p = p.Masked()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	extract := echo.ExtractIPFromXFFHeader(trust...)
	return func(r *http.Request) string {
		entries := r.Header[echo.HeaderXForwardedFor]
		if len(entries) == 0 {
			return extract(r)
		}
		return extract(&http.Request{RemoteAddr: r.RemoteAddr,
			Header: http.Header{echo.HeaderXForwardedFor: {s.withoutPorts(entries)}}})
	}
}

// withoutPorts gives the list of X-Forwarded-For with nothing but addresses.
func (s *Server) withoutPorts(entries []string) string {
	all := strings.Split(strings.Join(entries, ","), ",")
	for i, entry := range all {
		entry = strings.TrimSpace(entry)
		if withPort, err := netip.ParseAddrPort(entry); err == nil {
			entry = withPort.Addr().WithZone("").String()
		} else if _, err := netip.ParseAddr(strings.Trim(entry, "[]")); err != nil {
			s.strangeForwarded.Do(func() {
				s.Log.Warn("an entry of X-Forwarded-For is no address, so its request counts as from the proxy; "+
					"let the proxy write the client's address", "entry", entry)
			})
		}
		all[i] = entry
	}
	return strings.Join(all, ",")
}
