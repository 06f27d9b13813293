-- OAuth 2.0: the clients that have registered, and whose sessions they are.

-- +goose Up
-- The id is computed from the metadata, so a client that registers again is the same row.
CREATE TABLE oauth_clients (
    id       TEXT   NOT NULL PRIMARY KEY,
    metadata TEXT   NOT NULL,
    keep     BIGINT NOT NULL
);

CREATE INDEX oauth_clients_keep ON oauth_clients (keep);

-- The client that a session was begun for by OAuth 2.0; empty: by another API.
ALTER TABLE sessions ADD COLUMN client_id TEXT NOT NULL DEFAULT '';

CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id <> '';
