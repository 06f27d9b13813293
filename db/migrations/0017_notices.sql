-- A person hears on the account page of devices that have signed in, until they say that those were theirs.

-- +goose Up
-- Up to when they have said so. Of what is older than this update nobody is asked.
ALTER TABLE users ADD COLUMN noticed BIGINT NOT NULL DEFAULT 0;

UPDATE users SET noticed = COALESCE((SELECT MAX(at) FROM events), 0);

-- The ids of the sessions that began in the browser itself, for clients that are web pages; the newest first.
ALTER TABLE browsers ADD COLUMN let_in TEXT NOT NULL DEFAULT '';
