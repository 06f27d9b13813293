// Sessions with an absolute end, --session-ttl.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./client.js";
import { expiry, refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--session-ttl", "1500ms");

test("the life of an access token is capped at the session's end", async () => {
    const tab = await logIn(server);
    assert.ok(tab.session.expires_in_ms <= 1500);
    const pair = await tab.refresh();
    assert.ok(pair.expires_in_ms <= 1500);
    assert.ok(pair.refresh_token, "left out would mean: keep the old one");
});

test("at its end, a session takes neither token, and the device is kept", async () => {
    const tab = await logIn(server);
    await expiry(tab.session);
    assert.equal((await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout, true);
    assert.equal((await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout, true);
    const again = await logIn(server, { user: tab.user, device_id: tab.session.device_id });
    assert.equal((await again.whoami()).device_id, tab.session.device_id);
});
