-- What a homeserver behind must be told. Without one there is no row.

-- +goose Up
-- A row says only what must be looked at again, an account (device_id is empty) or a device of it, and never what to say of it: that is
-- read when it is said. It refers to nothing, since it may outlive what it tells of.
CREATE TABLE outbox (
    localpart TEXT    NOT NULL,
    device_id TEXT    NOT NULL,
    since     BIGINT  NOT NULL,
    due       BIGINT  NOT NULL,
    tries     BIGINT  NOT NULL,
    refused   BOOLEAN NOT NULL,
    error     TEXT    NOT NULL,
    login     TEXT    NOT NULL, -- who has announced it and will clear it: the id of a session that is to begin
    spared    BOOLEAN NOT NULL, -- a login on it was announced and no more is known: the device may be older than Postern, with its keys
    changed   BOOLEAN NOT NULL, -- since a sender took it
    holder    TEXT    NOT NULL, -- the sender that has it
    held      BIGINT  NOT NULL, -- … until then
    PRIMARY KEY (localpart, device_id)
);

-- Whoever was deactivated asked the homeserver to forget them, as far as it can.
ALTER TABLE users ADD COLUMN erased BOOLEAN NOT NULL DEFAULT FALSE;

-- The newest first: after a large import what people do now must not wait for it.
CREATE INDEX outbox_due ON outbox (due, since DESC);
