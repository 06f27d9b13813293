-- One text for both engines: natural keys, BIGINT Unix milliseconds (0 = none), no sequence.

-- +goose Up
CREATE TABLE users (
    localpart     TEXT    NOT NULL PRIMARY KEY,
    password_hash TEXT    NOT NULL,
    created       BIGINT  NOT NULL,
    deactivated   BIGINT  NOT NULL DEFAULT 0
);

-- One row per device, however often its tokens are refreshed. No column that a refresh changes is
-- indexed, so a refresh rewrites one row in place and nothing else.
CREATE TABLE sessions (
    id             TEXT    NOT NULL PRIMARY KEY,
    localpart      TEXT    NOT NULL REFERENCES users (localpart) ON DELETE CASCADE,
    device_id      TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    created        BIGINT  NOT NULL,
    expires        BIGINT  NOT NULL,
    refreshable    BOOLEAN NOT NULL,
    generation     BIGINT  NOT NULL CHECK (generation >= 1),
    key_id         BIGINT  NOT NULL,
    minted         BIGINT  NOT NULL,
    access_expires BIGINT  NOT NULL,
    used           BIGINT  NOT NULL,
    single_use     BOOLEAN NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('live', 'soft')),
    seen_at        BIGINT  NOT NULL,
    seen_addr      TEXT    NOT NULL,
    seen_agent     TEXT    NOT NULL,
    UNIQUE (localpart, device_id)
);

-- A retired key leaves its row behind (wrapped is NULL), so that its id is never given out again.
CREATE TABLE root_keys (
    id      BIGINT NOT NULL PRIMARY KEY,
    wrapped BYTEA,
    created BIGINT NOT NULL,
    retired BIGINT NOT NULL DEFAULT 0
);

-- Events outlive what they tell of, so nothing here refers to another table.
CREATE TABLE events (
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    localpart  TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    addr       TEXT   NOT NULL,
    agent      TEXT   NOT NULL,
    PRIMARY KEY (localpart, at, session_id, kind)
);

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
