package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"postern/db"
	"postern/handlers"
)

// devUser is the account of `serve --dev`; devSetting marks that --dev made it and may give it a new password.
const (
	devUser    = "alice"
	devSetting = "dev_user"
)

// greetDev prints what to paste to log in as alice. Without a password she is somebody's real account.
func greetDev(out io.Writer, password, url string, withOAuth bool) error {
	if password == "" {
		fmt.Fprintf(out, "The account %s is not one of --dev's, so its password stays. Put it in place of PASSWORD "+
			"below.\n", devUser)
		password = "PASSWORD"
	}
	fmt.Fprintf(out, devCommands, devUser, password, url)
	if withOAuth {
		fmt.Fprintf(out, oauthCommands, url, devUser)
	}
	_, err := fmt.Fprintf(out, devPage, url)
	return err
}

// devPassword gives alice a new random password, unless she is somebody's real account: then it is empty.
func devPassword(ctx context.Context, d *db.DB) (string, error) {
	password := rand.Text()
	hash, err := handlers.HashPassword(password)
	if err != nil {
		return "", err
	}
	err = d.CreateUser(ctx, db.User{Localpart: devUser, PasswordHash: hash, Created: time.Now()})
	if err == nil {
		return password, d.SetSetting(ctx, devSetting, devUser)
	}
	if !errors.Is(err, db.ErrConflict) {
		return "", err
	}
	made, err := d.Setting(ctx, devSetting)
	if errors.Is(err, db.ErrNotFound) || err == nil && made != devUser {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, err = d.ChangePassword(ctx, db.PasswordChange{Localpart: devUser, Hash: hash})
	return password, err
}

// devCommands need a shell and curl, and nothing else.
const devCommands = `
Postern runs at %[3]s. Log in, in another terminal:

  LOGIN=$(curl -s %[3]s/_matrix/client/v3/login -d '{"type":"m.login.password","refresh_token":true,
    "identifier":{"type":"m.id.user","user":"%[1]s"},"password":"%[2]s"}'); echo "$LOGIN"

Ask who it is, refresh (ask twice: the answer is the same), and log out:

  field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
  curl -s %[3]s/_matrix/client/v3/account/whoami -H "Authorization: Bearer $(echo "$LOGIN" | field access_token)"
  PAIR=$(curl -s %[3]s/_matrix/client/v3/refresh \
    -d '{"refresh_token":"'"$(echo "$LOGIN" | field refresh_token)"'"}'); echo "$PAIR"
  curl -s -X POST %[3]s/_matrix/client/v3/logout -H "Authorization: Bearer $(echo "$PAIR" | field access_token)"

The same at the API of the 2015 draft, where a refresh token is used once:

  curl -s %[3]s/_matrix/client/api/v1/login -d '{"username":"%[1]s","password":"%[2]s"}'
`

// oauthCommands need the function of the commands above, and a browser.
const oauthCommands = `
By a browser, as Element X does it (the OAuth 2.0 API): find out where everything is, register a client, ask for a code.

  curl -s %[1]s/_matrix/client/v1/auth_metadata
  GRANT=urn:ietf:params:oauth:grant-type:device_code
  CLIENT=$(curl -s %[1]s/oauth2/registration -H 'Content-Type: application/json' -d '{"client_name":"My shell",
    "client_uri":"https://example.org","grant_types":["'$GRANT'","refresh_token"]}' | field client_id)
  CODE=$(curl -s %[1]s/oauth2/device_authorization -d client_id=$CLIENT \
    -d 'scope=urn:matrix:client:api:* urn:matrix:client:device:MYSHELL0001'); echo "$CODE"

Open its verification_uri_complete in a browser, sign in as %[2]s with the password above, and allow it. Then:

  PAIR=$(curl -s %[1]s/oauth2/token -d grant_type=$GRANT -d client_id=$CLIENT \
    -d device_code=$(echo "$CODE" | field device_code)); echo "$PAIR"
  curl -s %[1]s/_matrix/client/v3/account/whoami -H "Authorization: Bearer $(echo "$PAIR" | field access_token)"
`

const devPage = `
The API in the browser, with a try-it for each operation and the macaroon bench: %s/_postern/spec

`
