-- For who looks after accounts: what is looked for is found without reading everything, and a token may be for that alone.

-- +goose Up
-- What a session's token opens: empty, the Client-Server API; admin, the admin API and nothing else.
ALTER TABLE sessions ADD COLUMN scope TEXT NOT NULL DEFAULT '';

-- Accounts that are locked, deactivated or an administrator's are few.
CREATE INDEX users_apart ON users (localpart) WHERE admin OR locked <> 0 OR deactivated <> 0;

CREATE INDEX events_kind ON events (kind, at);
