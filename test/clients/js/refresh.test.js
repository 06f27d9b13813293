import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab, tokens } from "./client.js";
import { expiry, refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--access-ttl", "1500ms");

test("a refresh gives a new pair that works", async () => {
    const tab = await logIn(server);
    const old = tokens(tab.session);
    const pair = await tab.refresh();
    assert.notEqual(pair.access_token, old.access_token);
    assert.notEqual(pair.refresh_token, old.refresh_token);
    assert.equal(typeof pair.expires_in_ms, "number");
    assert.equal((await tab.whoami()).device_id, tab.session.device_id);
});

test("the old access token is good until it expires, though the new pair is used", async () => {
    const tab = await logIn(server);
    const old = tab.another();
    await tab.refresh();
    await old.whoami();
    await tab.whoami();
    await old.whoami();
    await expiry(old.session);
    await refused(old.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("a refresh needs no access token", async () => {
    const { session } = await logIn(server);
    const pair = await new Tab(server).client.refreshToken(session.refresh_token);
    await new Tab(server, { ...session, ...pair }).whoami();
});

test("an access token that has expired renews, and the session goes on", async () => {
    const tab = await logIn(server);
    await expiry(tab.session);
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    await tab.refresh(); // sends the expired access token along, as the sdk does
    await tab.whoami();
});

test("ten refreshes in a row keep one session", async () => {
    const tab = await logIn(server);
    for (let i = 0; i < 10; i++) {
        await tab.refresh();
        await tab.whoami();
    }
    const rows = await server.sessions(tab.user);
    assert.deepEqual(rows.map(({ GENERATION }) => GENERATION), ["11"]);
});

test("a lost answer: asking again gives the same pair, and nobody is logged out", async () => {
    const tab = await logIn(server);
    await tab.whoami();
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh(), { name: "ConnectionError" });
    await tab.refresh();
    const [lost, got] = tab.network.to("/refresh").map(({ answer }) => tokens(answer));
    assert.deepEqual(got, lost);
    await tab.whoami();
    assert.deepEqual(tab.loggedOut, []);
});

test("five lost answers in a row cost nothing either", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh", 5);
    for (let i = 0; i < 5; i++) await assert.rejects(tab.refresh(), { name: "ConnectionError" });
    await tab.refresh();
    assert.equal(new Set(tab.network.to("/refresh").map(({ answer }) => answer.access_token)).size, 1);
    await tab.whoami();
});

test("a lost answer leaves the old access token in force", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh());
    await tab.whoami();
});

test("an answer that stays lost until its access token has expired: the pair is made anew", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh());
    await expiry(tab.network.to("/refresh")[0].answer);
    await tab.refresh();
    await tab.whoami();
});

test("the two tokens of a pair cannot stand in for each other", async () => {
    const { client, session } = await logIn(server);
    await refused(client.refreshToken(session.access_token), 401, "M_UNKNOWN_TOKEN");
    const swapped = new Tab(server, { ...session, access_token: session.refresh_token });
    await refused(swapped.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("a made-up refresh token is M_UNKNOWN_TOKEN for good", async () => {
    const { client } = await logIn(server);
    const error = await refused(client.refreshToken("made-up"), 401, "M_UNKNOWN_TOKEN");
    assert.ok(!error.data.soft_logout);
});

test("expires_in_ms counts from the answer, also when logins queue", async () => {
    const user = await server.addUser();
    const waits = await Promise.all(Array.from({ length: 12 }, async () => {
        const asked = Date.now();
        const { session } = await logIn(server, { user });
        const answered = Date.now();
        return { session, waited: answered - asked, promised: answered + session.expires_in_ms };
    }));
    const slowest = waits.reduce((a, b) => (a.waited > b.waited ? a : b));
    const inspected = await server.command(["token", "inspect", "-"], slowest.session.access_token);
    const overstated = slowest.promised - Number(inspected.match(/time < (\d+)/)[1]);
    assert.ok(overstated < slowest.waited / 2, `${overstated} ms too many, after ${slowest.waited} ms of waiting`);
});
