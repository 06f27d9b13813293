import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./client.js";
import { expiry, refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--access-ttl", "1500ms");

/** Expects both tokens to be dead for good: a client may forget the device. */
async function assertGone(tab) {
    const { data } = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.ok(!data.soft_logout);
    assert.ok(!(await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout);
}

const logOutEverywhere = ({ client }) => client.http.authedRequest("POST", "/logout/all");

test("logout ends both tokens, for good", async () => {
    const tab = await logIn(server);
    assert.deepEqual(await tab.client.logout(), {});
    await assertGone(tab);
    assert.equal(tab.loggedOut.length, 1);
});

test("logout with stopClient", async () => {
    const tab = await logIn(server);
    await tab.client.logout(true);
    await assertGone(tab);
});

test("logout with an access token that has expired", async () => {
    const tab = await logIn(server);
    await expiry(tab.session);
    await tab.client.logout();
    await assertGone(tab);
    assert.deepEqual(await server.sessions(tab.user), []);
});

test("logout of one tab ends the others, which share the session", async () => {
    const tab = await logIn(server);
    const other = tab.another();
    await tab.client.logout();
    await assertGone(other);
});

test("logout right after a lost refresh", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh());
    await tab.client.logout();
    await assertGone(tab);
});

test("a second logout has nothing to end", async () => {
    const tab = await logIn(server);
    await tab.client.logout();
    await refused(tab.client.logout(), 401, "M_UNKNOWN_TOKEN");
});

test("logout leaves the user's other devices alone", async () => {
    const tab = await logIn(server);
    const other = await logIn(server, { user: tab.user });
    await tab.client.logout();
    await other.whoami();
    await other.refresh();
});

test("logout forgets the device: its id comes back as a new one", async () => {
    const named = (name) => ({ device_id: "PHONE", initial_device_display_name: name });
    const tab = await logIn(server, named("Old"));
    await tab.client.logout();
    await logIn(server, { user: tab.user, ...named("New") });
    assert.deepEqual((await server.sessions(tab.user)).map(({ NAME }) => NAME), ["New"]);
});

test("logout/all from one client ends all of them", async () => {
    const tab = await logIn(server);
    const others = await Promise.all([1, 2, 3].map(() => logIn(server, { user: tab.user })));
    await logOutEverywhere(tab);
    for (const one of [tab, ...others]) await assertGone(one);
});

test("logout/all with an access token that has expired", async () => {
    const tab = await logIn(server);
    await expiry(tab.session);
    await logOutEverywhere(tab);
    assert.deepEqual(await server.sessions(tab.user), []);
});

test("logout/all ends no session of another user", async () => {
    const [tab, other] = await Promise.all([logIn(server), logIn(server)]);
    await logOutEverywhere(tab);
    await other.whoami();
});
