// The 2015 draft's API. No sdk speaks it, so this is plain fetch; what it gives is used by the sdk.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor();

async function post(path, body) {
    const response = await fetch(`${server.url}/_matrix/client/api/v1${path}`, { method: "POST", body: body && JSON.stringify(body) });
    return { status: response.status, ...(await response.json()) };
}

const login = async (username) => post("/login", { username: username ?? (await server.addUser()), password });
const tokenRefresh = ({ refresh_token }) => post("/tokenrefresh", { refresh_token });
const tabOf = (session) => new Tab(server, session);

function assertForbidden(answer) {
    assert.deepEqual([answer.status, answer.errcode], [403, "M_FORBIDDEN"]);
}

test("the draft's login always gives a refresh token", async () => {
    const user = await server.addUser();
    const { status, access_token, refresh_token, ...rest } = await login(user);
    assert.equal(status, 200);
    assert.ok(access_token && refresh_token);
    assert.deepEqual(rest, { user_id: `@${user}:localhost`, home_server: "localhost" });
});

test("the draft's refresh token is good once", async () => {
    const session = await login();
    assert.equal((await tokenRefresh(session)).status, 200);
    assertForbidden(await tokenRefresh(session));
});

test("the draft's old access token is dead at once, and the new one is good", async () => {
    const session = await login();
    const pair = await tokenRefresh(session);
    await refused(tabOf(session).whoami(), 401, "M_UNKNOWN_TOKEN");
    await tabOf({ ...session, ...pair }).whoami();
});

test("a second use right away is refused, and the successor lives on", async () => {
    const session = await login();
    const pair = await tokenRefresh(session);
    assertForbidden(await tokenRefresh(session));
    await tabOf({ ...session, ...pair }).whoami();
    assert.equal((await tokenRefresh(pair)).status, 200);
});

test("of twenty racers in the draft's API one wins", async () => {
    const session = await login();
    const answers = await Promise.all(Array.from({ length: 20 }, () => tokenRefresh(session)));
    const [won, ...more] = answers.filter(({ status }) => status === 200);
    assert.equal(more.length, 0);
    answers.filter((answer) => answer !== won).forEach(assertForbidden);
    await tabOf({ ...session, ...won }).whoami();
});

test("a session of the draft's API renews in the current one", async () => {
    const tab = tabOf(await login());
    await tab.refresh();
    await tab.whoami();
});

test("a session of the current API renews in the draft's", async () => {
    const tab = await logIn(server);
    const pair = await tokenRefresh(tab.session);
    assert.equal(pair.status, 200);
    await tabOf({ ...tab.session, ...pair }).whoami();
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("a locked account is forbidden in the draft's API, and renews once unlocked", async () => {
    const user = await server.addUser();
    const session = await login(user);
    await server.command(["user", "lock", user]);
    assertForbidden(await login(user));
    assertForbidden(await tokenRefresh(session));
    await server.command(["user", "unlock", user]);
    assert.equal((await tokenRefresh(session)).status, 200);
});

test("a wrong password, and a request without a body", async () => {
    assertForbidden(await post("/login", { username: await server.addUser(), password: "wrong" }));
    assert.equal((await post("/login")).status, 400);
    const { status, errcode } = await post("/tokenrefresh");
    assert.deepEqual([status, errcode], [401, "M_MISSING_TOKEN"]);
});
