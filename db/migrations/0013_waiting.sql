-- Accounts that somebody has asked for and that an operator has not decided about. They are no accounts yet, so they
-- stand apart: nothing that looks for an account finds one.

-- +goose Up
CREATE TABLE waiting_users (
    localpart     TEXT   NOT NULL PRIMARY KEY,
    password_hash TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    network       TEXT   NOT NULL
);

CREATE INDEX waiting_users_since ON waiting_users (since);
