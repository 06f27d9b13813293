-- A login claims its row of the outbox by holder and held, as the sender does. And what a row of an account asks for can
-- be that the homeserver reactivates it, which it does not do of itself: who is deactivated there may be so by its word.

-- +goose Up
ALTER TABLE outbox DROP COLUMN login;
ALTER TABLE outbox ADD COLUMN reopen BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE outbox SET reopen = TRUE WHERE device_id = '';
