// Tokens that log another device in, once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { logIn, Tab } from "./client.js";
import { authenticate, challenged, enter, proof, stages } from "./interactive.js";
import { refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--login-tokens");

const redeem = (token, more = {}) => new Tab(server).client.loginRequest({ type: "m.login.token", token, ...more });

/** A logged-in tab and a login token that it has made. */
async function issued() {
    const tab = await logIn(server);
    return { tab, token: (await tab.client.requestLoginToken(proof(tab))).login_token };
}

/** What `user login-link` prints. */
const loginLink = async (user, ...flags) => (await server.command(["user", "login-link", user, ...flags])).trim();

test("the flow is announced, and the capability", async () => {
    const tab = await logIn(server);
    const { flows } = await tab.client.loginFlows();
    assert.deepEqual(flows, [{ type: "m.login.password" }, { type: "m.login.token", get_login_token: true }]);
    assert.equal((await tab.client.getCapabilities())["m.get_login_token"].enabled, true);
});

test("a token asked for by one device logs another in", async () => {
    const tab = await logIn(server);
    const request = (auth) => tab.client.requestLoginToken(auth ?? undefined);
    const { login_token, expires_in_ms } = await authenticate(tab, enter(tab), request);
    assert.ok(expires_in_ms > 0 && expires_in_ms <= 120_000, String(expires_in_ms));
    const other = new Tab(server, await redeem(login_token, { refresh_token: true, initial_device_display_name: "New phone" }));
    assert.equal((await other.whoami()).user_id, tab.userId);
    assert.notEqual(other.deviceId, tab.deviceId);
    assert.equal((await tab.client.getDevice(other.deviceId)).display_name, "New phone");
    await other.refresh();
    await tab.whoami();
});

test("the sdk's requestLoginToken straight from InteractiveAuth, which begins with `auth: null`", async () => {
    const tab = await logIn(server);
    const { login_token } = await authenticate(tab, enter(tab), (auth) => tab.client.requestLoginToken(auth));
    await redeem(login_token);
});

test("client.login makes the client a logged-in one", async () => {
    const { tab, token } = await issued();
    const { client } = new Tab(server);
    await client.login("m.login.token", { token });
    assert.equal((await client.whoami()).user_id, tab.userId);
});

test("no token without the password", async () => {
    const tab = await logIn(server);
    const answer = await challenged(tab.client.requestLoginToken());
    assert.deepEqual(stages(answer), [["m.login.password"]]);
    const wrong = await challenged(tab.client.requestLoginToken(proof(tab, answer.session, "wrong")));
    assert.equal(wrong.errcode, "M_FORBIDDEN");
    await refused(new Tab(server).client.requestLoginToken(), 401, "M_MISSING_TOKEN");
});

test("a token is good once", async () => {
    const { token } = await issued();
    const other = new Tab(server, await redeem(token));
    await refused(redeem(token), 403, "M_FORBIDDEN");
    await other.whoami();
});

test("of twenty who redeem a token at once one gets in", async () => {
    const { tab, token } = await issued();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => redeem(token)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    for (const { reason } of results) if (reason) assert.equal(reason.errcode, "M_FORBIDDEN");
    assert.equal((await server.sessions(tab.user)).length, 2);
});

test("a token that was used stays used over a restart", async () => {
    const [one, two] = [await issued(), await issued()];
    await redeem(one.token);
    await server.end("SIGKILL");
    await server.start();
    await refused(redeem(one.token), 403, "M_FORBIDDEN");
    await redeem(two.token);
});

test("a token dies with the session that made it", async () => {
    const { tab, token } = await issued();
    await tab.client.logout();
    await refused(redeem(token), 403, "M_FORBIDDEN");
});

test("made-up tokens, and tokens of other kinds, log nobody in", async () => {
    const { tab, token } = await issued();
    for (const other of ["made-up", tab.session.access_token, tab.session.refresh_token]) {
        await refused(redeem(other), 403, "M_FORBIDDEN");
    }
    await refused(redeem(undefined), 400, "M_MISSING_PARAM");
    await refused(new Tab(server, { access_token: token }).whoami(), 401, "M_UNKNOWN_TOKEN");
    await refused(tab.client.refreshToken(token), 401, "M_UNKNOWN_TOKEN");
});

test("user login-link prints a token that works once", async () => {
    const user = await server.addUser();
    const token = await loginLink(user);
    const tab = new Tab(server, await redeem(token, { device_id: "PHONE" }));
    assert.deepEqual([(await tab.whoami()).user_id, tab.deviceId], [`@${user}:localhost`, "PHONE"]);
    await refused(redeem(token), 403, "M_FORBIDDEN");
});

test("user login-link prints a link for a web client", async () => {
    const user = await server.addUser();
    const link = new URL(await loginLink(user, "--client", "https://app.example.org/"));
    assert.equal(link.origin, "https://app.example.org");
    assert.equal((await redeem(link.searchParams.get("loginToken"))).user_id, `@${user}:localhost`);
});

test("a login link that has expired is no longer good", async () => {
    const token = await loginLink(await server.addUser(), "--ttl", "1s");
    await setTimeout(1020);
    await refused(redeem(token), 403, "M_FORBIDDEN");
});

test("a login link is no way around a deactivated or locked account", async () => {
    const [gone, locked] = [await server.addUser(), await server.addUser()];
    const tokens = [await loginLink(gone), await loginLink(locked)];
    await server.command(["user", "deactivate", gone]);
    await server.command(["user", "lock", locked]);
    await refused(redeem(tokens[0]), 403, "M_FORBIDDEN");
    await refused(redeem(tokens[1]), 401, "M_USER_LOCKED");
    assert.deepEqual(await server.sessions(locked), []);
});
