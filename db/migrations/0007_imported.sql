-- Sessions that another server began, and the tokens that it gave them.

-- +goose Up
-- The account as it was at the other server when it was last looked at (see Arrival); empty: it was made here.
ALTER TABLE users ADD COLUMN imported TEXT NOT NULL DEFAULT '';

-- The password of an account that came from elsewhere was set here since.
ALTER TABLE users ADD COLUMN own_password BOOLEAN NOT NULL DEFAULT FALSE;

-- The tokens of its generation, the first, are not computed but were given by another server.
ALTER TABLE sessions ADD COLUMN imported BOOLEAN NOT NULL DEFAULT FALSE;

-- A row is never changed, and goes with its session, so whoever has read one need not read it again while the session is there.
CREATE TABLE imported_tokens (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    refresh    BOOLEAN NOT NULL,
    expires    BIGINT  NOT NULL
);

CREATE INDEX imported_tokens_session ON imported_tokens (session_id);
