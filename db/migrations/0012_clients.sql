-- OAuth 2.0: clients that an operator has added stay, and a list of them says since when each is known.

-- +goose Up
ALTER TABLE oauth_clients ADD COLUMN created BIGINT NOT NULL DEFAULT 0;

ALTER TABLE oauth_clients ADD COLUMN added BOOLEAN NOT NULL DEFAULT FALSE;
