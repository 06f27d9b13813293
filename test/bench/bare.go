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

	rig "postern/test/rig/process"
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
	grant struct {
		AccessToken  string  `json:"access_token"`
		ExpiresIn    *int64  `json:"expires_in,omitempty"`
		RefreshToken *string `json:"refresh_token,omitempty"`
		Scope        string  `json:"scope"`
		TokenType    string  `json:"token_type"`
	}
	refreshBody struct {
		RefreshToken string `json:"refresh_token"`
	}
)

// answers are what the bare server gives.
type answers struct {
	Whoami     owner
	Refresh    pair
	Introspect introspection
	Grant      grant
	Metadata   json.RawMessage
}

// bare starts a bare server that gives these answers, which are JSON, by their names in [answers].
func (b *bench) bare(ctx context.Context, answers map[string]json.RawMessage) (*process, error) {
	text, err := json.Marshal(answers)
	if err != nil {
		return nil, err
	}
	return launch(ctx, b.binary("bench"), "bare", string(text))
}

// serveBare serves what an Echo handler costs that does nothing: it gives the answers that it was started with. A
// refresh decodes its body, and what has a form reads that, as any handler must. Timeouts are those of Postern's
// server.
func serveBare(ctx context.Context, text string) error {
	var a answers
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	e := echo.New()
	a.route(e)
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

func (a *answers) route(e *echo.Echo) {
	e.POST(introspectPath, func(c echo.Context) error {
		if c.FormValue("token") == "" {
			return echo.ErrBadRequest
		}
		return c.JSON(http.StatusOK, a.Introspect)
	})
	e.POST(rig.TokenPath, func(c echo.Context) error {
		if c.FormValue("grant_type") == "" || c.FormValue("client_id") == "" || c.FormValue("refresh_token") == "" {
			return echo.ErrBadRequest
		}
		return c.JSON(http.StatusOK, a.Grant)
	})
	metadata := append(a.Metadata, '\n') // as an encoder ends it
	e.GET(metadataPath, func(c echo.Context) error { return c.JSONBlob(http.StatusOK, metadata) })
	e.GET(whoamiPath, func(c echo.Context) error { return c.JSON(http.StatusOK, a.Whoami) })
	e.GET(versionsPath, func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST(refreshPath, func(c echo.Context) error {
		var body refreshBody
		if err := c.Bind(&body); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, a.Refresh)
	})
}
