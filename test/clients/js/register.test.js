// Registration that is open to everybody. With invitations: invite.test.js, with several stages: terms.test.js.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { authenticate, challenged, stages } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor("--registration", "open");
const stranger = () => new Tab(server).client;
const dummy = { type: "m.login.dummy" };

/** Registers with everything in one request. */
const register = (more = {}) => stranger().registerRequest({ username: server.newName(), password, auth: dummy, ...more });

test("without auth, the answer names flows and a session", async () => {
    const answer = await challenged(stranger().registerRequest({ username: server.newName(), password }));
    assert.deepEqual(stages(answer), [["m.login.dummy"]]);
    assert.equal(answer.errcode, undefined);
    assert.deepEqual(answer.params, {});
});

test("the sdk goes through the flow by itself", async () => {
    const tab = new Tab(server);
    const username = server.newName();
    const session = await authenticate(tab, {}, (auth) =>
        tab.client.registerRequest({ username, password, auth: auth ?? undefined }),
    );
    assert.equal(session.user_id, `@${username}:localhost`);
    assert.equal((await new Tab(server, session).whoami()).device_id, session.device_id);
    assert.deepEqual(tab.network.seen.map(({ status }) => status), [401, 200]);
});

test("an application that sends `auth: null` first is asked too", async () => {
    await challenged(register({ auth: null }));
});

test("client.register, with the session and without", async () => {
    for (const id of [undefined, (await challenged(register({ auth: undefined }))).session]) {
        const { user_id, access_token } = await stranger().register(server.newName(), password, id, { ...dummy });
        assert.equal((await new Tab(server, { user_id, access_token }).whoami()).user_id, user_id);
    }
});

test("the new user logs in by password", async () => {
    const user = server.newName();
    await register({ username: user });
    assert.equal((await logIn(server, { user })).userId, `@${user}:localhost`);
});

test("with refresh_token, a pair that renews", async () => {
    const tab = new Tab(server, await register({ refresh_token: true }));
    assert.equal(typeof tab.session.expires_in_ms, "number");
    await tab.whoami();
    await tab.refresh();
    await tab.whoami();
});

test("without refresh_token, an access token that does not expire", async () => {
    const session = await register();
    assert.ok(session.access_token && session.device_id);
    assert.ok(!("refresh_token" in session) && !("expires_in_ms" in session));
});

test("device_id and the device's name are taken", async () => {
    const tab = new Tab(server, await register({ device_id: "PHONE", initial_device_display_name: "Pocket" }));
    const { device_id, display_name } = await tab.client.getDevice("PHONE");
    assert.deepEqual([tab.deviceId, device_id, display_name], ["PHONE", "PHONE", "Pocket"]);
});

test("inhibit_login makes an account and no session", async () => {
    const user = server.newName();
    assert.deepEqual(await register({ username: user, inhibit_login: true }), { user_id: `@${user}:localhost`, home_server: "localhost" });
    assert.deepEqual(await server.sessions(user), []);
    await logIn(server, { user });
});

test("who names no user is given a name", async () => {
    const [one, two] = [await register({ username: undefined }), await register({ username: undefined })];
    assert.match(one.user_id, /^@[a-z0-9]+:localhost$/);
    assert.notEqual(one.user_id, two.user_id);
    await logIn(server, { user: one.user_id });
});

test("a name in upper case is registered in lower case", async () => {
    const name = server.newName();
    assert.equal((await register({ username: name.toUpperCase() })).user_id, `@${name}:localhost`);
    await refused(register({ username: name }), 400, "M_USER_IN_USE");
});

test("a name that is free is available, a taken one is not", async () => {
    const name = server.newName();
    assert.equal(await stranger().isUsernameAvailable(name), true);
    await register({ username: name });
    assert.equal(await stranger().isUsernameAvailable(name), false);
    await refused(stranger().isUsernameAvailable("not a name"), 400, "M_INVALID_USERNAME");
});

test("a client that still sends a dead access token may ask and register", async () => {
    const tab = new Tab(server, { access_token: "long-forgotten" });
    const username = server.newName();
    assert.equal(await tab.client.isUsernameAvailable(username), true);
    await tab.client.registerRequest({ username, password, auth: dummy });
    assert.deepEqual(tab.loggedOut, []);
});

test("a taken name is M_USER_IN_USE before any stage", async () => {
    const username = await server.addUser();
    await refused(register({ username, auth: undefined }), 400, "M_USER_IN_USE");
    await refused(register({ username }), 400, "M_USER_IN_USE");
});

test("a name that was taken meanwhile is M_USER_IN_USE at the end", async () => {
    const username = server.newName();
    const { session } = await challenged(register({ username, auth: undefined }));
    await register({ username });
    await refused(register({ username, auth: { ...dummy, session } }), 400, "M_USER_IN_USE");
});

test("the name of a deactivated user stays taken", async () => {
    const username = await server.addUser();
    await server.command(["user", "deactivate", username]);
    await refused(register({ username }), 400, "M_USER_IN_USE");
    assert.equal(await stranger().isUsernameAvailable(username), false);
});

test("of twenty people who want one name one gets it", async () => {
    const username = server.newName();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => register({ username })));
    const [won, ...more] = results.filter(({ status }) => status === "fulfilled");
    assert.equal(more.length, 0);
    for (const result of results) if (result !== won) assert.equal(result.reason.errcode, "M_USER_IN_USE");
    await new Tab(server, won.value).whoami();
});

test("names against the grammar are M_INVALID_USERNAME", async () => {
    for (const username of ["", "two words", "snow☃", "@carol:localhost", "x".repeat(250)]) {
        await refused(register({ username }), 400, "M_INVALID_USERNAME");
    }
});

test("a short password is M_WEAK_PASSWORD before any stage", async () => {
    await refused(register({ password: "short", auth: undefined }), 400, "M_WEAK_PASSWORD");
    await refused(register({ password: "short" }), 400, "M_WEAK_PASSWORD");
});

test("no password at all is M_MISSING_PARAM", async () => {
    await refused(register({ password: undefined }), 400, "M_MISSING_PARAM");
});

test("guests are M_GUEST_ACCESS_FORBIDDEN", async () => {
    await refused(stranger().registerGuest(), 403, "M_GUEST_ACCESS_FORBIDDEN");
});

test("what came with the first request is used at the end", async () => {
    const username = server.newName();
    const wanted = { username, device_id: "PHONE", refresh_token: true };
    const { session } = await challenged(register({ ...wanted, auth: undefined }));
    const made = await stranger().registerRequest({ auth: { ...dummy, session } });
    assert.deepEqual([made.user_id, made.device_id], [`@${username}:localhost`, "PHONE"]);
    await new Tab(server, made).refresh();
    await logIn(server, { user: username });
});

test("a lost answer: finishing again gives the same user and device", async () => {
    const body = { username: server.newName(), password };
    const { session } = await challenged(stranger().registerRequest(body));
    const tab = new Tab(server);
    tab.network.lose("/register");
    const finish = () => tab.client.registerRequest({ ...body, auth: { ...dummy, session } });
    await assert.rejects(finish(), { name: "ConnectionError" });
    const again = await finish();
    const lost = tab.network.to("/register")[0].answer;
    assert.deepEqual([again.user_id, again.device_id], [lost.user_id, lost.device_id]);
    await new Tab(server, again).whoami();
    assert.equal((await server.sessions(body.username)).length, 1);
});

test("a lost answer without a name: no second user is made", async () => {
    const { session } = await challenged(stranger().registerRequest({ password }));
    const finish = () => stranger().registerRequest({ password, auth: { ...dummy, session } });
    assert.equal((await finish()).user_id, (await finish()).user_id);
});

test("finishing ten times at once gives one user", async () => {
    const { session } = await challenged(stranger().registerRequest({ password }));
    const finish = () => stranger().registerRequest({ auth: { ...dummy, session } });
    const answers = await Promise.all(Array.from({ length: 10 }, finish));
    assert.equal(new Set(answers.map(({ user_id, device_id }) => `${user_id} ${device_id}`)).size, 1);
    assert.equal((await server.sessions(answers[0].user_id)).length, 1);
});

test("finishing again is no way around a new password, a lock or a deactivation", async () => {
    const commands = [["passwd", 403, "M_FORBIDDEN"], ["lock", 401, "M_USER_LOCKED"], ["deactivate", 403, "M_FORBIDDEN"]];
    for (const [command, status, errcode] of commands) {
        const username = server.newName();
        const { session } = await challenged(stranger().registerRequest({ username, password }));
        const finish = () => stranger().registerRequest({ auth: { ...dummy, session } });
        await finish();
        const flags = command === "passwd" ? ["--password-stdin"] : [];
        await server.command(["user", command, username, ...flags], "tr0ub4dor&3");
        await refused(finish(), status, errcode);
    }
});
