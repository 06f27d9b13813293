-- Devices and tokens of every kind, for both engines.
INSERT INTO devices (user_id, device_id, display_name, last_seen, ip, user_agent, hidden) VALUES
    ('@alice:example.org', 'PHONE', 'her phone', 1577836801123, '192.0.2.1', 'Element', FALSE),
    ('@alice:example.org', 'IDLE', NULL, NULL, NULL, NULL, FALSE),
    ('@alice:example.org', 'a key', 'master signing key', NULL, NULL, NULL, TRUE),
    ('@_irc_dave:example.org', 'BRIDGE', NULL, NULL, NULL, NULL, FALSE),
    ('@carol:elsewhere.org', 'ELSEWHERE', NULL, NULL, NULL, NULL, FALSE);
INSERT INTO refresh_tokens (id, user_id, device_id, token, next_token_id, expiry_ts, ultimate_session_expiry_ts) VALUES
    (3, '@alice:example.org', 'PHONE', 'syr_3', NULL, 1900000000000, 2000000000000),
    (2, '@alice:example.org', 'PHONE', 'syr_2', 3, NULL, 2000000000000),
    (13, '@admin:example.org', 'LOST', 'syr_13', NULL, NULL, NULL),
    (12, '@admin:example.org', 'LOST', 'syr_12', 13, NULL, NULL),
    (23, '@staff:example.org', 'CHAIN', 'syr_23', NULL, NULL, NULL),
    (22, '@staff:example.org', 'CHAIN', 'syr_22', 23, NULL, NULL),
    (21, '@staff:example.org', 'CHAIN', 'syr_21', 22, NULL, NULL),
    (31, '@_irc_dave:example.org', 'BRIDGE', 'syr_31', NULL, NULL, NULL);
INSERT INTO access_tokens (id, user_id, device_id, token, valid_until_ms, refresh_token_id, used) VALUES
    (1, '@alice:example.org', 'PHONE', 'syt_3', 1800000000000, 3, TRUE),
    (2, '@alice:example.org', 'PHONE', 'syt_2', 1700000000000, 2, TRUE),
    (3, '@alice:example.org', NULL, 'without a device', NULL, NULL, FALSE),
    (4, '@admin:example.org', 'LOST', 'syt_13', 1800000000000, 13, FALSE),
    (5, '@admin:example.org', 'UNLISTED', 'MDAxOGxvY2F0aW9u', NULL, NULL, NULL),
    (6, '@staff:example.org', 'CHAIN', 'syt_23', 1800000000000, 23, NULL),
    (7, '@_irc_dave:example.org', 'BRIDGE', 'syt_31', NULL, NULL, TRUE);
INSERT INTO access_tokens (id, user_id, device_id, token, puppets_user_id) VALUES
    (8, '@admin:example.org', NULL, 'acts as alice', '@alice:example.org');
