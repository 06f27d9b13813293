package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"
)

// What the bare server reads and answers: the JSON of Postern's answers, field for field.
type (
	owner struct {
		DeviceID *string `json:"device_id,omitempty"`
		IsGuest  *bool   `json:"is_guest,omitempty"`
		UserID   string  `json:"user_id"`
	}
	pair struct {
		AccessToken  string  `json:"access_token"`
		ExpiresInMs  *int64  `json:"expires_in_ms,omitempty"`
		RefreshToken *string `json:"refresh_token,omitempty"`
	}
	introspection struct {
		Active    bool   `json:"active"`
		Scope     string `json:"scope"`
		Username  string `json:"username"`
		DeviceID  string `json:"device_id"`
		ExpiresIn *int64 `json:"expires_in,omitempty"`
	}
	refreshBody struct {
		RefreshToken string `json:"refresh_token"`
	}
)

// bare serves what an Echo handler costs that does nothing: it answers whoami and refresh with what it was started
// with. The refresh decodes its body and the introspection its form, as any handler must. Timeouts are those of
// Postern's server.
func bare(ctx context.Context, whoami, refresh, introspect string) error {
	var who owner
	var tokens pair
	if err := json.Unmarshal([]byte(whoami), &who); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(refresh), &tokens); err != nil {
		return err
	}
	var said introspection
	if err := json.Unmarshal([]byte(introspect), &said); err != nil {
		return err
	}
	e := echo.New()
	e.POST(introspectPath, func(c echo.Context) error {
		if c.FormValue("token") == "" {
			return echo.ErrBadRequest
		}
		return c.JSON(http.StatusOK, said)
	})
	e.GET(whoamiPath, func(c echo.Context) error { return c.JSON(http.StatusOK, who) })
	e.GET(versionsPath, func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST(refreshPath, func(c echo.Context) error {
		var body refreshBody
		if err := c.Bind(&body); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, tokens)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	context.AfterFunc(ctx, func() { server.Close() })
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("listening", "address", listener.Addr().String())
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
