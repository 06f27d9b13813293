-- Administrators of the homeserver, for whom it asks; see User.Admin.

-- +goose Up
ALTER TABLE users ADD COLUMN admin BOOLEAN NOT NULL DEFAULT FALSE;

-- The same fact once more, so that a check reads one row.
ALTER TABLE sessions ADD COLUMN admin BOOLEAN NOT NULL DEFAULT FALSE;
