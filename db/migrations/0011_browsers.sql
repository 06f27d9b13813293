-- Browsers in which the owner of an account has signed in on the pages.

-- +goose Up
-- The id is a hash of what the browser's cookie holds.
CREATE TABLE browsers (
    id        TEXT   NOT NULL PRIMARY KEY,
    localpart TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    proved    BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    addr      TEXT   NOT NULL,
    agent     TEXT   NOT NULL
);

CREATE INDEX browsers_localpart ON browsers (localpart, created);
CREATE INDEX browsers_expires ON browsers (expires);
