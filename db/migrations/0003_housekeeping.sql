-- What has run out is found without reading what has not.

-- +goose Up
-- A refresh never changes when a session ends, so it still rewrites nothing but its row; and most sessions have no end at all.
CREATE INDEX sessions_expires ON sessions (expires) WHERE expires <> 0;

CREATE INDEX events_at ON events (at);

CREATE INDEX registration_reservations_expires ON registration_reservations (expires);
