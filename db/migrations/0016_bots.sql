-- Tokens for bots: sessions of their own, which say what they are restricted to.

-- +goose Up
ALTER TABLE sessions ADD COLUMN bot BOOLEAN NOT NULL DEFAULT FALSE;

-- The caveats of the token, one a line.
ALTER TABLE sessions ADD COLUMN restrictions TEXT NOT NULL DEFAULT '';
