-- What somebody has asked for is counted by the mailbox that it goes to, by who asks, and altogether.

-- +goose Up
-- The mailbox, when several targets are one; else empty. And who has asked for it; empty: nobody, or it does not count.
ALTER TABLE deliveries ADD COLUMN counted TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN asker TEXT NOT NULL DEFAULT '';

UPDATE deliveries SET counted = target;

CREATE INDEX deliveries_counted ON deliveries (counted, created);
CREATE INDEX deliveries_asked ON deliveries (kind, created) WHERE asker <> '';
DROP INDEX deliveries_target;
