// What the operator does on the command line reaches clients that are connected, at once.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor();

/** A tab that holds what `token restrict` makes of one of its tokens. */
async function restricted(tab, token, ...caveats) {
    const narrower = await server.command(["token", "restrict", "-", ...caveats], tab.session[token]);
    return new Tab(server, { ...tab.session, [token]: narrower.trim() });
}

test("session end --user refuses the very next request", async () => {
    const tab = await logIn(server);
    await tab.whoami();
    await server.command(["session", "end", "--user", tab.user]);
    const error = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.ok(!error.data.soft_logout);
    assert.equal(tab.loggedOut.length, 1);
    await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN");
});

test("session end --device ends that device only", async () => {
    const phone = await logIn(server, { device_id: "PHONE" });
    const laptop = await logIn(server, { user: phone.user, device_id: "LAPTOP" });
    await server.command(["session", "end", "--user", phone.user, "--device", "PHONE"]);
    await refused(phone.whoami(), 401, "M_UNKNOWN_TOKEN");
    await laptop.whoami();
});

test("a deactivated user is out and is told so at the next login", async () => {
    const tab = await logIn(server);
    await server.command(["user", "deactivate", tab.user]);
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    await refused(logIn(server, { user: tab.user }), 403, "M_USER_DEACTIVATED");
    await refused(logIn(server, { user: tab.user, password: "wrong" }), 403, "M_FORBIDDEN");
});

test("a reactivated user logs in again with the old password", async () => {
    const { user } = await logIn(server);
    await server.command(["user", "deactivate", user]);
    await server.command(["user", "reactivate", user]);
    await (await logIn(server, { user })).whoami();
});

test("a new password ends the sessions and is the only one that works", async () => {
    const tab = await logIn(server);
    await server.command(["user", "passwd", tab.user, "--password-stdin"], "tr0ub4dor&3");
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    await refused(logIn(server, { user: tab.user }), 403, "M_FORBIDDEN");
    await (await logIn(server, { user: tab.user, password: "tr0ub4dor&3" })).whoami();
});

test("a new password that keeps the sessions keeps them", async () => {
    const tab = await logIn(server);
    await server.command(["user", "passwd", tab.user, "--password-stdin", "--keep-sessions"], "tr0ub4dor&3");
    await tab.whoami();
    await tab.refresh();
});

test("rotating the root key disturbs nobody", async () => {
    const tab = await logIn(server);
    await server.command(["keys", "rotate"]);
    await tab.whoami();
    await tab.refresh();
    await tab.whoami();
    await (await logIn(server)).whoami();
    assert.deepEqual(tab.loggedOut, []);
});

test("a token restricted to reading reads, and may not log out", async () => {
    const tab = await logIn(server);
    const reader = await restricted(tab, "access_token", "method in GET,HEAD");
    assert.equal((await reader.whoami()).user_id, tab.session.user_id);
    await refused(reader.client.logout(), 403, "M_FORBIDDEN");
    await reader.whoami();
    assert.deepEqual(reader.loggedOut, []);
});

test("a token restricted to a path is good below it only", async () => {
    const tab = await logIn(server);
    const elsewhere = await restricted(tab, "access_token", "path under /_matrix/client/v3/devices");
    await refused(elsewhere.whoami(), 403, "M_FORBIDDEN");
    assert.deepEqual(elsewhere.loggedOut, []);
});

test("a restricted refresh token hands its caveats on", async () => {
    const tab = await logIn(server);
    const reader = await restricted(tab, "refresh_token", "path under /_matrix/client/v3");
    const narrow = await restricted(reader, "refresh_token", `device_id = ${tab.session.device_id}`);
    const pair = await narrow.refresh();
    await narrow.whoami();
    for (const token of [pair.access_token, pair.refresh_token]) {
        const caveats = await server.command(["token", "inspect", "-"], token);
        assert.match(caveats, /path under \/_matrix\/client\/v3/);
        assert.match(caveats, /device_id = /);
    }
});

test("a time limit that a holder appended ends that token and not the session", async () => {
    const tab = await logIn(server);
    const brief = await restricted(tab, "access_token", `time < ${Date.now() - 1}`);
    await refused(brief.whoami(), 401, "M_UNKNOWN_TOKEN");
    await tab.whoami();
});
