-- Accounts of every kind, for both engines.
INSERT INTO users (name, password_hash, creation_ts, admin) VALUES
    ('@admin:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836800, 1);
INSERT INTO users (name, password_hash, creation_ts, approved) VALUES
    ('@alice:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836801, NULL),
    ('@Bob Übel:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', NULL, TRUE),
    ('@waiting:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 0, FALSE),
    ('@sso:example.org', NULL, 1577836802, NULL),
    ('@odd:example.org', 'plain text', 1577836803, NULL),
    ('@carol:elsewhere.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836804, NULL);
INSERT INTO users (name, creation_ts, is_guest) VALUES ('@17:example.org', 1577836805, 1);
INSERT INTO users (name, creation_ts, appservice_id) VALUES ('@_irc_dave:example.org', 1577836806, 'irc');
INSERT INTO users (name, password_hash, creation_ts, user_type) VALUES
    ('@support:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836807, 'support'),
    ('@bot:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836808, 'bot'),
    ('@staff:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836809, 'staff');
INSERT INTO users (name, creation_ts, deactivated) VALUES ('@gone:example.org', 1577836810, 1);
INSERT INTO users (name, password_hash, creation_ts, deactivated) VALUES ('@older:example.org', 'plain text', 1577836811, 1);
INSERT INTO users (name, password_hash, creation_ts, locked, suspended) VALUES
    ('@locked:example.org', '$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836812, TRUE, TRUE);
