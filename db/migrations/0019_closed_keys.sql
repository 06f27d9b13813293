-- A root key that is to be retired is closed first: nobody mints with it any more, and its tokens are good still.

-- +goose Up
ALTER TABLE root_keys ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
