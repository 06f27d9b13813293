CREATE TABLE postern_schema (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
CREATE TABLE users (
    localpart     TEXT    NOT NULL PRIMARY KEY,
    password_hash TEXT    NOT NULL,
    created       BIGINT  NOT NULL,
    deactivated   BIGINT  NOT NULL DEFAULT 0
);
CREATE TABLE sessions (
    id             TEXT    NOT NULL PRIMARY KEY,
    localpart      TEXT    NOT NULL REFERENCES users (localpart) ON DELETE CASCADE,
    device_id      TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    created        BIGINT  NOT NULL,
    expires        BIGINT  NOT NULL,
    refreshable    BOOLEAN NOT NULL,
    generation     BIGINT  NOT NULL CHECK (generation >= 1),
    key_id         BIGINT  NOT NULL,
    minted         BIGINT  NOT NULL,
    access_expires BIGINT  NOT NULL,
    used           BIGINT  NOT NULL,
    single_use     BOOLEAN NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('live', 'soft')),
    seen_at        BIGINT  NOT NULL,
    seen_addr      TEXT    NOT NULL,
    seen_agent     TEXT    NOT NULL,
    UNIQUE (localpart, device_id)
);
CREATE TABLE root_keys (
    id      BIGINT NOT NULL PRIMARY KEY,
    wrapped BYTEA,
    created BIGINT NOT NULL,
    retired BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE events (
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    localpart  TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    addr       TEXT   NOT NULL,
    agent      TEXT   NOT NULL,
    PRIMARY KEY (localpart, at, session_id, kind)
);
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO postern_schema VALUES (1,0,1,'2026-11-24 14:49:51');
INSERT INTO postern_schema VALUES (2,1,1,'2026-11-24 14:49:51');
INSERT INTO users VALUES ('alice','hash',1800000000000,0);
INSERT INTO users VALUES ('bob','his',1800000000000,1800086400000);
INSERT INTO sessions VALUES ('phone','alice','A','Phone',1800000000000,0,1,7,1,1800000000000,1800000300000,1800000000000,1,'live',1800000000000,'192.0.2.1','test');
INSERT INTO sessions VALUES ('tablet','alice','B','',1800000000000,1800086400000,0,1,1,1800000000000,0,0,0,'soft',1800000000000,'192.0.2.1','test');
INSERT INTO root_keys VALUES (1,X'6B6579',1800000000000,0);
INSERT INTO events VALUES (1800000000000,'replay','alice','B','tablet',3,'203.0.113.66','thief');
INSERT INTO settings VALUES ('server_name','example.org');
