-- Marks of sessions that have ended. A session that is not here and has no mark may have been lost.

-- +goose Up
-- The second in which the session was born, and some bits of its id: see mark.
CREATE TABLE ended_sessions (
    mark BIGINT NOT NULL PRIMARY KEY
);

-- When a token was newer than the session, so that the database must have lost commits.
ALTER TABLE sessions ADD COLUMN caught_up BIGINT NOT NULL DEFAULT 0;

-- The generation that it had come to by then: what happened to later ones was lost.
ALTER TABLE sessions ADD COLUMN caught_from BIGINT NOT NULL DEFAULT 0;
