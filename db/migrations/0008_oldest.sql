-- The oldest generation whose superseded access tokens are good until they expire. Those that were superseded before
-- stay dead.

-- +goose Up
ALTER TABLE sessions ADD COLUMN oldest BIGINT NOT NULL DEFAULT 1;

UPDATE sessions SET oldest = generation;
