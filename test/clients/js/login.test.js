import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, passwordLogin, Tab } from "./client.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor();
const stranger = () => new Tab(server).client;

test("versions are understood", async () => {
    assert.ok(await stranger().isVersionSupported("v1.3"), "refresh tokens came with v1.3");
    assert.ok((await stranger().getVersions()).versions.includes("v1.19"));
});

test("the login flows name the password", async () => {
    const { flows } = await stranger().loginFlows();
    assert.ok(flows.some(({ type }) => type === "m.login.password"));
});

test("login with refresh_token gives a pair that expires", async () => {
    const { session, user } = await logIn(server);
    assert.equal(session.user_id, `@${user}:localhost`);
    assert.ok(session.device_id && session.access_token && session.refresh_token);
    assert.equal(typeof session.expires_in_ms, "number");
});

test("login without refresh_token gives an access token that does not expire", async () => {
    const { session } = await logIn(server, { refresh_token: undefined });
    assert.ok(!("refresh_token" in session));
    assert.ok(!("expires_in_ms" in session));
});

test("whoami tells user and device", async () => {
    const tab = await logIn(server);
    const { user_id, device_id } = tab.session;
    const owner = await tab.whoami();
    assert.deepEqual([owner.user_id, owner.device_id], [user_id, device_id]);
});

test("client.login makes the client a logged-in one", async () => {
    const { client } = new Tab(server);
    const { type, ...data } = passwordLogin(await server.addUser());
    const { user_id } = await client.login(type, data);
    assert.equal((await client.whoami()).user_id, user_id);
});

test("loginWithPassword, which sends the deprecated `user`", async () => {
    const { client } = new Tab(server);
    const { user_id } = await client.loginWithPassword(await server.addUser(), password);
    assert.equal((await client.whoami()).user_id, user_id);
});

test("login by the whole user id", async () => {
    const user = await server.addUser();
    const { session } = await logIn(server, { user: `@${user}:localhost` });
    assert.equal(session.user_id, `@${user}:localhost`);
});

test("login in upper case", async () => {
    const user = await server.addUser();
    const { session } = await logIn(server, { user: user.toUpperCase() });
    assert.equal(session.user_id, `@${user}:localhost`);
});

test("a user id of another server is no account of this one", async () => {
    const user = await server.addUser();
    await refused(logIn(server, { user: `@${user}:example.org` }), 403, "M_FORBIDDEN");
});

test("login on a known device keeps it and ends its older tokens", async () => {
    const old = await logIn(server, { device_id: "PHONE" });
    const again = await logIn(server, { user: old.user, device_id: "PHONE" });
    assert.equal(again.session.device_id, "PHONE");
    await refused(old.whoami(), 401, "M_UNKNOWN_TOKEN");
    await again.whoami();
});

test("two logins without a device id are two devices", async () => {
    const one = await logIn(server);
    const two = await logIn(server, { user: one.user });
    assert.notEqual(one.session.device_id, two.session.device_id);
    await one.whoami();
});

test("initial_device_display_name names a new device and no known one", async () => {
    const named = (name) => ({ device_id: "PHONE", initial_device_display_name: name });
    const { user } = await logIn(server, named("Pocket"));
    await logIn(server, { user, ...named("Other") });
    assert.deepEqual((await server.sessions(user)).map(({ NAME }) => NAME), ["Pocket"]);
});

test("a wrong password is M_FORBIDDEN, and an unknown user looks the same", async () => {
    const user = await server.addUser();
    const wrong = await refused(logIn(server, { user, password: "wrong" }), 403, "M_FORBIDDEN");
    const unknown = await refused(logIn(server, { user: "nobody" }), 403, "M_FORBIDDEN");
    assert.deepEqual(wrong.data, unknown.data);
});

test("an unknown login type is M_UNKNOWN", async () => {
    await refused(stranger().loginRequest({ type: "m.login.telepathy" }), 400, "M_UNKNOWN");
});

test("a missing password is M_MISSING_PARAM", async () => {
    const user = await server.addUser();
    await refused(logIn(server, { user, password: undefined }), 400, "M_MISSING_PARAM");
});

test("a client that still sends a dead access token can log in", async () => {
    const user = await server.addUser();
    const tab = new Tab(server, { access_token: "long-forgotten" });
    await tab.client.loginRequest(passwordLogin(user));
    assert.deepEqual(tab.loggedOut, []);
});

test("a made-up access token logs the client out for good", async () => {
    const tab = new Tab(server, { access_token: "made-up" });
    const error = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.ok(!error.data.soft_logout);
    assert.equal(tab.loggedOut.length, 1);
});

test("no access token at all is M_MISSING_TOKEN", async () => {
    await refused(stranger().whoami(), 401, "M_MISSING_TOKEN");
});

test("what is not served is M_UNRECOGNIZED and logs nobody out", async () => {
    const tab = await logIn(server);
    await refused(tab.client.getJoinedRooms(), 404, "M_UNRECOGNIZED");
    assert.deepEqual(tab.loggedOut, []);
});

test("the access token in the query, as old clients send it", async () => {
    const { session } = await logIn(server);
    const tab = new Tab(server, session, { useAuthorizationHeader: false });
    assert.equal((await tab.whoami()).user_id, session.user_id);
    assert.match(tab.network.to("/whoami")[0].search, /access_token=/);
});

test("the r0 prefix of old clients", async () => {
    const tab = await logIn(server);
    const owner = await tab.client.http.authedRequest("GET", "/account/whoami", {}, undefined, { prefix: "/_matrix/client/r0" });
    assert.equal(owner.user_id, tab.session.user_id);
});
