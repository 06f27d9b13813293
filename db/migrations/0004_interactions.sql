-- User-interactive sessions, where replicas share the database; a file has none, one process remembers them.

-- +goose Up
-- The id is a hash of what the client has, and sealed opens with a key that is not in here.
CREATE TABLE interactions (
    id      TEXT   NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL,
    version BIGINT NOT NULL,
    sealed  BYTEA  NOT NULL
);

CREATE INDEX interactions_expires ON interactions (expires);
