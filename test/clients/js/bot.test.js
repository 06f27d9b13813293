// matrix-bot-sdk, another client than matrix-js-sdk with nothing in common: no session, no renewing, its own HTTP.
import assert from "node:assert/strict";
import { test } from "node:test";

import { LogService, MatrixAuth, MatrixClient } from "matrix-bot-sdk";

import { password, serverFor } from "./server.js";

LogService.muteModule("MatrixHttpClient");

const server = serverFor("--registration", "open");
const door = () => new MatrixAuth(server.url);

/** A client that has logged in as a new user. */
async function logIn(deviceName) {
    const user = await server.addUser();
    return Object.assign(await door().passwordLogin(user, password, deviceName), { user });
}

/** Expects a Matrix error. */
async function refused(promise, status, code) {
    await assert.rejects(promise, ({ statusCode, errcode }) => {
        assert.equal(`${statusCode} ${errcode}`, `${status} ${code}`);
        return true;
    });
}

const whoami = (client) => client.doRequest("GET", "/_matrix/client/v3/account/whoami");

test("passwordRegister goes through user-interactive authentication", async () => {
    const name = server.newName();
    const client = await door().passwordRegister(name, password, "Bot");
    assert.equal(await client.getUserId(), `@${name}:localhost`);
    assert.equal((await client.getOwnDevices())[0].display_name, "Bot");
    await door().passwordLogin(name, password);
});

test("passwordRegister of a taken name fails", async () => {
    await assert.rejects(door().passwordRegister(await server.addUser(), password), /Failed to register/);
});

test("passwordLogin, by the name and by the whole user id", async () => {
    const name = await server.addUser();
    for (const user of [name, `@${name}:localhost`]) {
        const client = await door().passwordLogin(user, password);
        assert.ok(client instanceof MatrixClient);
        assert.equal(await client.getUserId(), `@${name}:localhost`);
    }
});

test("passwordLogin with a wrong password is M_FORBIDDEN", async () => {
    await refused(door().passwordLogin(await server.addUser(), "wrong"), 403, "M_FORBIDDEN");
});

test("getWhoAmI tells user and device", async () => {
    const client = await logIn("Bot");
    const { user_id, device_id } = await client.getWhoAmI();
    assert.equal(user_id, `@${client.user}:localhost`);
    const [device] = await client.getOwnDevices();
    assert.deepEqual([device.device_id, device.display_name], [device_id, "Bot"]);
});

test("doesServerSupportVersion", async () => {
    assert.equal(await (await logIn()).doesServerSupportVersion("v1.19"), true);
});

test("a made-up access token is M_UNKNOWN_TOKEN", async () => {
    await refused(new MatrixClient(server.url, "made-up").getWhoAmI(), 401, "M_UNKNOWN_TOKEN");
});

test("logout, through doRequest", async () => {
    const client = await logIn();
    assert.deepEqual(await client.doRequest("POST", "/_matrix/client/v3/logout"), {});
    await refused(whoami(client), 401, "M_UNKNOWN_TOKEN");
    assert.deepEqual(await server.sessions(client.user), []);
});

test("a bot that is locked, unlocked, and logged out by the operator", async () => {
    const client = await logIn();
    await server.command(["user", "lock", client.user]);
    await refused(whoami(client), 401, "M_USER_LOCKED");
    await server.command(["user", "unlock", client.user]);
    await whoami(client);
    await server.command(["session", "end", "--user", client.user]);
    await refused(whoami(client), 401, "M_UNKNOWN_TOKEN");
});

test("a bot that changes its password", async () => {
    const client = await logIn();
    const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: client.user }, password };
    await client.doRequest("POST", "/_matrix/client/v3/account/password", null, { new_password: "tr0ub4dor&3", auth });
    await whoami(client);
    await refused(door().passwordLogin(client.user, password), 403, "M_FORBIDDEN");
    await door().passwordLogin(client.user, "tr0ub4dor&3");
});
