-- What the owner of an account shows beside the password, or instead of it.

-- +goose Up
-- What verifies a factor is sealed with a key that is not in here. A wrong code counts as a failure.
CREATE TABLE factors (
    id        TEXT   NOT NULL PRIMARY KEY,
    localpart TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    sealed    BYTEA  NOT NULL,
    created   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    step      BIGINT NOT NULL,
    failures  BIGINT NOT NULL,
    blocked   BIGINT NOT NULL
);

CREATE INDEX factors_localpart ON factors (localpart, kind);
