-- Dendrite's table of accounts on SQLite as it was in 2020, before it knew types and several servers.
CREATE TABLE IF NOT EXISTS account_accounts (
    localpart TEXT NOT NULL PRIMARY KEY,
    created_ts BIGINT NOT NULL,
    password_hash TEXT,
    appservice_id TEXT
);
INSERT INTO account_accounts (localpart, created_ts, password_hash, appservice_id) VALUES
    ('alice', 1577836801123, '$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe', NULL),
    ('_irc_dave', 1577836804123, '', 'irc');
