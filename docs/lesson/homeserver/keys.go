package main

import (
	"database/sql"
	"os"

	_ "modernc.org/sqlite"

	"postern/tokens"
)

// rootKeys reads the keys that Postern mints with. In its database they are wrapped by the master key.
func rootKeys(database, masterKeyFile string) (*tokens.Keyring, error) {
	text, err := os.ReadFile(masterKeyFile)
	if err != nil {
		return nil, err
	}
	master, err := tokens.ParseMasterKey(string(text))
	if err != nil {
		return nil, err
	}
	d, err := sql.Open("sqlite", "file:"+database+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	rows, err := d.Query(`SELECT id, wrapped FROM root_keys WHERE retired = 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []tokens.Key
	for rows.Next() {
		var id int64
		var wrapped []byte
		if err := rows.Scan(&id, &wrapped); err != nil {
			return nil, err
		}
		key, err := master.Unwrap(id, wrapped)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return tokens.NewKeyring(keys...), rows.Err()
}
