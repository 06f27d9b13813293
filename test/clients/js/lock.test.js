// An account that the operator locks: nothing works, nothing is lost.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./client.js";
import { challenged, proof } from "./interactive.js";
import { refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor();
const lock = ({ user }) => server.command(["user", "lock", user]);
const unlock = ({ user }) => server.command(["user", "unlock", user]);

async function locked() {
    const tab = await logIn(server);
    await lock(tab);
    return tab;
}

/** Expects M_USER_LOCKED, which tells the client to keep everything. */
async function assertLocked(promise) {
    assert.equal((await refused(promise, 401, "M_USER_LOCKED")).data.soft_logout, true);
}

test("every request is M_USER_LOCKED, and the sdk logs nobody out", async () => {
    const tab = await locked();
    await assertLocked(tab.whoami());
    await assertLocked(tab.client.getDevices());
    await assertLocked(tab.client.setPassword(proof(tab), "tr0ub4dor&3"));
    assert.deepEqual(tab.loggedOut, []);
});

test("a refresh is M_USER_LOCKED and spends nothing", async () => {
    const tab = await locked();
    await assertLocked(tab.refresh());
    await assertLocked(tab.refresh());
    await unlock(tab);
    await tab.refresh();
    await tab.whoami();
});

test("a login is told so only after the right password", async () => {
    const { user } = await locked();
    await assertLocked(logIn(server, { user }));
    await refused(logIn(server, { user, password: "wrong" }), 403, "M_FORBIDDEN");
});

test("logout still works, and is for good", async () => {
    const tab = await locked();
    assert.deepEqual(await tab.client.logout(), {});
    assert.deepEqual(await server.sessions(tab.user), []);
    await unlock(tab);
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("logout/all still works", async () => {
    const tab = await logIn(server);
    await logIn(server, { user: tab.user });
    await lock(tab);
    await tab.client.http.authedRequest("POST", "/logout/all");
    assert.deepEqual(await server.sessions(tab.user), []);
});

test("once unlocked, every session goes on", async () => {
    const tab = await locked();
    const rows = await server.sessions(tab.user);
    await assertLocked(tab.whoami());
    await unlock(tab);
    await tab.whoami();
    await tab.refresh();
    await tab.whoami();
    assert.deepEqual((await server.sessions(tab.user)).map(({ DEVICE }) => DEVICE), rows.map(({ DEVICE }) => DEVICE));
    await logIn(server, { user: tab.user });
});

test("a proof that was begun before the lock is good after it, and not meanwhile", async () => {
    const tab = await logIn(server);
    const { session } = await challenged(tab.client.deleteDevice("NONE"));
    await lock(tab);
    await assertLocked(tab.client.deleteDevice("NONE", proof(tab, session)));
    await unlock(tab);
    await tab.client.deleteDevice("NONE", proof(tab, session));
});

test("a lock outlives a restart", async () => {
    const tab = await locked();
    await server.end("SIGTERM");
    await server.start();
    await assertLocked(tab.whoami());
    await unlock(tab);
    await tab.whoami();
});

test("a lock is for one account only", async () => {
    const other = await logIn(server);
    await locked();
    await other.whoami();
});
