-- Mail addresses of accounts, and what waits to be sent to people.

-- +goose Up
-- An address is its owner's once they have shown it; it belongs to one account. The language is the one of the page, or
-- of the client, with which they did.
CREATE TABLE emails (
    address   TEXT   NOT NULL PRIMARY KEY,
    localpart TEXT   NOT NULL,
    validated BIGINT NOT NULL,
    added     BIGINT NOT NULL,
    language  TEXT   NOT NULL
);

CREATE INDEX emails_localpart ON emails (localpart, added);

-- Mails and webhooks. One that was sent stays for a while, so that what may be sent once in that time is not sent again.
CREATE TABLE deliveries (
    id        TEXT   NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    target    TEXT   NOT NULL,
    localpart TEXT   NOT NULL,
    language  TEXT   NOT NULL,
    sealed    BYTEA  NOT NULL,
    created   BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    due       BIGINT NOT NULL, -- 0: it was sent, or given up
    tries     BIGINT NOT NULL,
    error     TEXT   NOT NULL,
    holder    TEXT   NOT NULL, -- the sender that has it
    held      BIGINT NOT NULL  -- … until then
);

CREATE INDEX deliveries_due ON deliveries (due);
CREATE INDEX deliveries_target ON deliveries (target, created);
CREATE INDEX deliveries_expires ON deliveries (expires);
