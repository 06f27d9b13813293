-- What waits in interactions is of several kinds, each bounded by itself: none crowds out another.

-- +goose Up
ALTER TABLE interactions ADD COLUMN kind TEXT NOT NULL DEFAULT '';

CREATE INDEX interactions_kind ON interactions (kind, expires);
