// The tokens are gone, the device is kept: Client-Server API, "Soft logout".
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, tokens } from "./client.js";
import { expiry, refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--access-ttl", "1500ms", "--refresh-leeway", "0");

/** A session of which a refresh token is spent: its successor was used. */
async function spent() {
    const tab = await logIn(server);
    const old = tab.another();
    await tab.refresh();
    await tab.whoami();
    return { tab, old };
}

test("an expired access token is a soft logout in the error and in the event", async () => {
    const tab = await logIn(server);
    await expiry(tab.session);
    const error = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.equal(error.data.soft_logout, true);
    assert.equal(tab.loggedOut.length, 1);
    assert.equal(tab.loggedOut[0].data.soft_logout, true);
});

test("after expiry, a login on the same device goes on with it", async () => {
    const { user, session, ...tab } = await logIn(server);
    await expiry(session);
    await refused(tab.client.whoami(), 401, "M_UNKNOWN_TOKEN");
    const again = await logIn(server, { user, device_id: session.device_id });
    assert.equal((await again.whoami()).device_id, session.device_id);
    assert.equal((await server.sessions(user)).length, 1);
});

test("a replayed refresh token is refused with a soft logout", async () => {
    const { old } = await spent();
    const error = await refused(old.refresh(), 401, "M_UNKNOWN_TOKEN");
    assert.equal(error.data.soft_logout, true);
    assert.deepEqual(old.loggedOut, [], "the sdk does not announce what a refresh was told");
});

test("a replay ends the newest pair as well: one of the two holders is a thief", async () => {
    const { tab, old } = await spent();
    await refused(old.refresh(), 401, "M_UNKNOWN_TOKEN");
    const error = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.equal(error.data.soft_logout, true);
    assert.equal(tab.loggedOut.length, 1);
    assert.equal((await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout, true);
});

test("a replay is there for the operator to see", async () => {
    const { tab, old } = await spent();
    await refused(old.refresh(), 401, "M_UNKNOWN_TOKEN");
    assert.deepEqual((await server.sessions(tab.user)).map(({ STATE }) => STATE), ["soft"]);
    assert.match(await server.command(["session", "events", tab.user]), new RegExp(`replay.*${tab.session.device_id}`));
});

test("after a replay, a login on the same device heals the session", async () => {
    const { tab, old } = await spent();
    await refused(old.refresh(), 401, "M_UNKNOWN_TOKEN");
    const again = await logIn(server, { user: tab.user, device_id: tab.session.device_id });
    assert.equal((await again.whoami()).device_id, tab.session.device_id);
    await again.refresh();
    await again.whoami();
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("a replay harms no other device of the user", async () => {
    const { tab, old } = await spent();
    const other = await logIn(server, { user: tab.user });
    await refused(old.refresh(), 401, "M_UNKNOWN_TOKEN");
    await other.refresh();
    await other.whoami();
});

test("a tab that slept through two refreshes is a replay", async () => {
    const tab = await logIn(server);
    const slept = tab.another();
    await tab.refresh();
    await tab.refresh();
    assert.equal((await refused(slept.refresh(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout, true);
});

test("without any leeway a lost answer still costs nothing", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh());
    await tab.refresh();
    const [lost, got] = tab.network.to("/refresh").map(({ answer }) => tokens(answer));
    assert.deepEqual(got, lost);
    await tab.whoami();
});
