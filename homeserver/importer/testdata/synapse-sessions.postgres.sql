-- Synapse's tables of devices and tokens on PostgreSQL, as in schema version 72 and in release 1.163.
CREATE TABLE devices (
    user_id text NOT NULL,
    device_id text NOT NULL,
    display_name text,
    last_seen bigint,
    ip text,
    user_agent text,
    hidden boolean DEFAULT false
);
CREATE TABLE refresh_tokens (
    id bigint NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    device_id text NOT NULL,
    token text NOT NULL UNIQUE,
    next_token_id bigint REFERENCES refresh_tokens(id) ON DELETE CASCADE,
    expiry_ts bigint,
    ultimate_session_expiry_ts bigint
);
CREATE TABLE access_tokens (
    id bigint NOT NULL PRIMARY KEY,
    user_id text NOT NULL,
    device_id text,
    token text NOT NULL UNIQUE,
    valid_until_ms bigint,
    puppets_user_id text,
    last_validated bigint,
    refresh_token_id bigint REFERENCES refresh_tokens(id) ON DELETE CASCADE,
    used boolean
);
