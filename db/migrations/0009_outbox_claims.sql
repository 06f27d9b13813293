-- A login claims its row of the outbox by holder and held, as the sender does.

-- +goose Up
ALTER TABLE outbox DROP COLUMN login;
