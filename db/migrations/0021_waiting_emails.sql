-- The mail address that somebody has shown who has asked for an account, and waits for it.

-- +goose Up
ALTER TABLE waiting_users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE waiting_users ADD COLUMN validated BIGINT NOT NULL DEFAULT 0;
ALTER TABLE waiting_users ADD COLUMN language TEXT NOT NULL DEFAULT '';
