-- Dendrite's table of accounts on PostgreSQL, since November 2022.
CREATE TABLE IF NOT EXISTS userapi_accounts (
    localpart TEXT NOT NULL,
    server_name TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    password_hash TEXT,
    appservice_id TEXT,
    is_deactivated BOOLEAN DEFAULT FALSE,
    account_type SMALLINT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS userapi_accounts_idx ON userapi_accounts(localpart, server_name);
