// What an operator has not opened: this server has no flags.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { proof } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor();
const stranger = () => new Tab(server).client;

test("registration is closed", async () => {
    const body = { username: server.newName(), password };
    await refused(stranger().registerRequest(body), 403, "M_FORBIDDEN");
    await refused(stranger().registerRequest({ ...body, auth: { type: "m.login.dummy" } }), 403, "M_FORBIDDEN");
    await refused(stranger().isUsernameAvailable(body.username), 403, "M_FORBIDDEN");
    await refused(logIn(server, { user: body.username }), 403, "M_FORBIDDEN");
});

test("guests are M_GUEST_ACCESS_FORBIDDEN", async () => {
    await refused(stranger().registerGuest(), 403, "M_GUEST_ACCESS_FORBIDDEN");
});

test("login tokens are no flow", async () => {
    const { flows } = await stranger().loginFlows();
    assert.deepEqual(flows, [{ type: "m.login.password" }]);
});

test("login tokens are neither made nor taken", async () => {
    const tab = await logIn(server);
    await refused(tab.client.requestLoginToken(proof(tab)), 400, "M_UNRECOGNIZED");
    assert.equal((await tab.client.getCapabilities())["m.get_login_token"].enabled, false);
    await refused(stranger().loginRequest({ type: "m.login.token", token: "made-up" }), 400, "M_UNKNOWN");
    assert.deepEqual(tab.loggedOut, []);
});

test("where the server is, it does not say", async () => {
    assert.equal((await fetch(`${server.url}/.well-known/matrix/client`)).status, 404);
    assert.ok(!("well_known" in (await logIn(server)).session));
});
