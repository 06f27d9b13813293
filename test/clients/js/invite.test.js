// Registration with a token that the operator made.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { logIn, Tab } from "./client.js";
import { authenticate, challenged, stages } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor("--registration", "token");
const stage = "m.login.registration_token";

const register = (body) => new Tab(server).client.registerRequest({ username: server.newName(), password, ...body });
const withToken = (token) => register({ auth: { type: stage, token } });

/** Whether the server says that a token is good. */
async function valid(token) {
    const { client } = new Tab(server);
    const answer = await client.http.request("GET", `/register/${stage}/validity`, { token }, undefined, { prefix: "/_matrix/client/v1" });
    return answer.valid;
}

/** Expects a token to be refused in a way that leaves the client in the flow. */
async function assertRefused(token) {
    assert.equal((await challenged(withToken(token))).errcode, "M_UNAUTHORIZED");
    assert.equal(await valid(token), false);
}

async function counts(token) {
    const { STATE, USED, RESERVED } = await server.invited(token);
    return [STATE, USED, RESERVED];
}

test("the flow asks for a token, and for nothing else", async () => {
    assert.deepEqual(stages(await challenged(register())), [[stage]]);
});

test("registration with a token", async () => {
    const [tab, token, username] = [new Tab(server), await server.invite(), server.newName()];
    assert.equal(await valid(token), true);
    const request = (auth) => tab.client.registerRequest({ username, password, auth: auth ?? undefined });
    const session = await authenticate(tab, { [stage]: [{ token }] }, request);
    assert.equal((await new Tab(server, session).whoami()).user_id, `@${username}:localhost`);
    await logIn(server, { user: username });
});

test("a wrong token stays in the flow, and the right one goes on", async () => {
    const [tab, token, username, asked] = [new Tab(server), await server.invite(), server.newName(), []];
    const request = (auth) => tab.client.registerRequest({ username, password, auth: auth ?? undefined });
    await authenticate(tab, { [stage]: [{ token: "wrong" }, { token }] }, request, asked);
    assert.deepEqual(asked, [stage, `${stage} M_UNAUTHORIZED`]);
    const [first, ...rest] = tab.network.to("/register").map(({ answer }) => answer.session);
    assert.deepEqual(rest, [first, undefined]);
});

test("uses are counted, and the list shows it", async () => {
    const token = await server.invite("--uses", "2");
    assert.deepEqual(await counts(token), ["good", "0", "0"]);
    await withToken(token);
    assert.deepEqual(await counts(token), ["good", "1", "0"]);
    await withToken(token);
    assert.deepEqual(await counts(token), ["used-up", "2", "0"]);
    await assertRefused(token);
});

test("a registration that fails uses nothing", async () => {
    const token = await server.invite();
    await refused(register({ username: await server.addUser(), auth: { type: stage, token } }), 400, "M_USER_IN_USE");
    await refused(register({ password: "short", auth: { type: stage, token } }), 400, "M_WEAK_PASSWORD");
    assert.deepEqual(await counts(token), ["good", "0", "0"]);
    await withToken(token);
});

test("of ten people with the last use one gets in", async () => {
    const token = await server.invite();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => withToken(token)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.deepEqual(await counts(token), ["used-up", "1", "0"]);
});

test("a token of any number of uses", async () => {
    const token = await server.invite("--uses", "0", "--token", "open-day");
    for (let i = 0; i < 3; i++) await withToken(token);
    assert.deepEqual(await counts(token), ["good", "3", "0"]);
});

test("a revoked token is no longer good", async () => {
    const token = await server.invite();
    await server.command(["invite", "revoke", token]);
    await assertRefused(token);
    assert.equal((await server.invited(token)).STATE, "revoked");
});

test("an expired token is no longer good", async () => {
    const token = await server.invite("--expires", "50ms");
    await setTimeout(60);
    await assertRefused(token);
    assert.equal((await server.invited(token)).STATE, "expired");
});

test("a dummy does not stand in for a token", async () => {
    await refused(register({ auth: { type: "m.login.dummy" } }), 400, "M_UNRECOGNIZED");
});

test("a lost answer: finishing again gives the same user and uses nothing more", async () => {
    const token = await server.invite("--uses", "2");
    const body = { username: server.newName() };
    const { session } = await challenged(register(body));
    const finish = () => register({ ...body, auth: { type: stage, token, session } });
    const [one, two] = [await finish(), await finish()];
    assert.deepEqual([two.user_id, two.device_id], [one.user_id, one.device_id]);
    await new Tab(server, two).whoami();
    assert.deepEqual(await counts(token), ["good", "1", "0"]);
});
