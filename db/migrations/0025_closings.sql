-- How often an account was locked or deactivated. What was made before is good no more.

-- +goose Up
ALTER TABLE users ADD COLUMN closings BIGINT NOT NULL DEFAULT 0;
