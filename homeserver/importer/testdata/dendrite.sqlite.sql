-- Dendrite's table of accounts on SQLite, since November 2022.
CREATE TABLE IF NOT EXISTS userapi_accounts (
    localpart TEXT NOT NULL PRIMARY KEY,
    server_name TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    password_hash TEXT,
    appservice_id TEXT,
    is_deactivated BOOLEAN DEFAULT 0,
    account_type INTEGER NOT NULL
);
