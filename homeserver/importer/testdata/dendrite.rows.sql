-- Accounts of every kind, for both engines.
INSERT INTO userapi_accounts (localpart, server_name, created_ts, password_hash, appservice_id, is_deactivated, account_type) VALUES
    ('admin', 'example.org', 1577836800123, '$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe', NULL, FALSE, 3),
    ('alice', 'example.org', 1577836801123, '$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe', NULL, FALSE, 1),
    ('bob', 'elsewhere.org', 1577836802123, '$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe', NULL, FALSE, 1),
    ('17', 'example.org', 1577836803123, '', NULL, FALSE, 2),
    ('_irc_dave', 'example.org', 1577836804123, '', 'irc', FALSE, 4),
    ('gone', 'example.org', 1577836805123, '$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe', NULL, TRUE, 1),
    ('passwordless', 'example.org', 1577836806123, '', NULL, NULL, 1);
