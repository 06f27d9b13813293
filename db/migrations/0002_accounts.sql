-- Accounts that their owners make and look after: locks, invitations, login tokens.

-- +goose Up
ALTER TABLE users ADD COLUMN locked BIGINT NOT NULL DEFAULT 0;

-- Names differ by more than their letters' case: see Taken.
CREATE INDEX users_folded ON users (LOWER(localpart));

-- The same fact once more, so that a check reads one row.
ALTER TABLE sessions ADD COLUMN locked BOOLEAN NOT NULL DEFAULT FALSE;

-- The root key of the generation before: while its tokens may still come, that key must not be retired.
ALTER TABLE sessions ADD COLUMN prev_key_id BIGINT NOT NULL DEFAULT 0;

-- uses_allowed 0: no bound. expires 0: never.
CREATE TABLE registration_tokens (
    token        TEXT   NOT NULL PRIMARY KEY,
    uses_allowed BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    created      BIGINT NOT NULL,
    revoked      BIGINT NOT NULL
);

-- A use set aside while a registration runs. One that has expired counts for nothing, so that a crash leaks none.
CREATE TABLE registration_reservations (
    token      TEXT   NOT NULL REFERENCES registration_tokens (token) ON DELETE CASCADE,
    session_id TEXT   NOT NULL,
    expires    BIGINT NOT NULL,
    PRIMARY KEY (token, session_id)
);

-- Login tokens are computed. Only those that were redeemed are remembered, until a while after they would have expired anyway.
CREATE TABLE used_login_tokens (
    id      TEXT   NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);

CREATE INDEX used_login_tokens_expires ON used_login_tokens (expires);
