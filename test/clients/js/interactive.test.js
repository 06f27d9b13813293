// What a proof must not be good for.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { challenged, proof } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor("--registration", "open", "--login-tokens");

/** A user's two devices, and a session of interactive authentication for deleting the second. */
async function begun() {
    const phone = await logIn(server, { device_id: "PHONE" });
    const laptop = await logIn(server, { user: phone.user, device_id: "LAPTOP" });
    const { session } = await challenged(phone.client.deleteDevice("LAPTOP"));
    return { phone, laptop, session };
}

test("finishing another user's session is 403, and the session stays that user's", async () => {
    const { phone, laptop, session } = await begun();
    const thief = await logIn(server, { device_id: "LAPTOP" });
    await refused(thief.client.deleteDevice("LAPTOP", proof(thief, session)), 403, "M_FORBIDDEN");
    await refused(thief.client.deleteDevice("LAPTOP", proof(phone, session)), 403, "M_FORBIDDEN");
    await thief.whoami();
    await laptop.whoami();
    assert.deepEqual(thief.loggedOut, []);
    await phone.client.deleteDevice("LAPTOP", proof(phone, session));
    await refused(laptop.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("a session for one device is 403 for another", async () => {
    const { phone, session } = await begun();
    await refused(phone.client.deleteDevice("PHONE", proof(phone, session)), 403, "M_FORBIDDEN");
    await phone.whoami();
});

test("a session for one request is 403 for every other", async () => {
    const { phone, laptop, session } = await begun();
    const auth = proof(phone, session);
    await refused(phone.client.deleteMultipleDevices(["LAPTOP"], auth), 403, "M_FORBIDDEN");
    await refused(phone.client.setPassword(auth, "tr0ub4dor&3"), 403, "M_FORBIDDEN");
    await refused(phone.client.deactivateAccount(auth), 403, "M_FORBIDDEN");
    await refused(phone.client.requestLoginToken(auth), 403, "M_FORBIDDEN");
    await refused(new Tab(server).client.registerRequest({ username: server.newName(), password, auth }), 403, "M_FORBIDDEN");
    await laptop.whoami();
    await logIn(server, { user: phone.user });
});

test("a registration's session deletes no device", async () => {
    const { phone, laptop } = await begun();
    const { session } = await challenged(new Tab(server).client.registerRequest({ username: server.newName(), password }));
    await refused(phone.client.deleteDevice("LAPTOP", { type: "m.login.dummy", session }), 403, "M_FORBIDDEN");
    await laptop.whoami();
});

test("the user's other device cannot finish what one began: who it is would be another's to say", async () => {
    const { laptop, phone, session } = await begun();
    await refused(laptop.client.deleteDevice("LAPTOP", proof(phone, session)), 403, "M_FORBIDDEN");
    await laptop.whoami();
});

test("the password of another user proves nothing", async () => {
    const { phone, laptop } = await begun();
    const other = await logIn(server);
    await refused(phone.client.deleteDevice("LAPTOP", proof(other)), 403, "M_FORBIDDEN");
    await laptop.whoami();
});

test("a stage that is not asked for proves nothing", async () => {
    const { phone, laptop, session } = await begun();
    for (const type of ["m.login.dummy", "m.login.terms", "m.login.telepathy"]) {
        await refused(phone.client.deleteDevice("LAPTOP", { type, session }), 400, "M_UNRECOGNIZED");
    }
    await laptop.whoami();
});

test("the session alone proves nothing", async () => {
    const { phone, laptop, session } = await begun();
    assert.equal((await challenged(phone.client.deleteDevice("LAPTOP", { session }))).session, session);
    await laptop.whoami();
});

test("a session is good once", async () => {
    const { phone, session } = await begun();
    await phone.client.deleteDevice("LAPTOP", proof(phone, session));
    const again = await logIn(server, { user: phone.user, device_id: "LAPTOP" });
    const answer = await challenged(phone.client.deleteDevice("LAPTOP", { session }));
    assert.notEqual(answer.session, session);
    await again.whoami();
});

test("a password that was entered on the page is good for one of ten requests, and for what the page said", async () => {
    const { phone } = await begun();
    const devices = await Promise.all(Array.from({ length: 10 }, () => logIn(server, { user: phone.user })));
    const one = [devices[0].deviceId];
    const { session } = await challenged(phone.client.deleteMultipleDevices(one));
    const page = phone.client.getFallbackAuthUrl("m.login.password", session);
    const enter = async (password) => (await fetch(page, { method: "POST", body: new URLSearchParams({ password }) })).status;
    assert.equal(await enter("wrong"), 403);
    await challenged(phone.client.deleteMultipleDevices(one, { session }));
    assert.equal(await enter(password), 200);
    const others = devices.slice(1).map(({ deviceId }) => phone.client.deleteMultipleDevices([deviceId], { session }));
    assert.deepEqual((await Promise.allSettled(others)).map(({ status }) => status), Array(9).fill("rejected"));
    const results = await Promise.allSettled(devices.map(() => phone.client.deleteMultipleDevices(one, { session })));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    const alive = await Promise.allSettled(devices.map((device) => device.whoami()));
    assert.deepEqual(alive.map(({ status }) => status), ["rejected", ...Array(9).fill("fulfilled")]);
});

test("a made-up session is a new one", async () => {
    const { phone } = await begun();
    const { session } = await challenged(phone.client.deleteDevice("LAPTOP", { session: "made-up" }));
    await phone.client.deleteDevice("LAPTOP", proof(phone, session));
});

test("a dead access token is told so, and not asked for a password", async () => {
    const { phone, session } = await begun();
    await server.command(["session", "end", "--user", phone.user]);
    await refused(phone.client.deleteDevice("LAPTOP", proof(phone, session)), 401, "M_UNKNOWN_TOKEN");
});

test("more open sessions than are kept: the newest works, the oldest begins anew", async () => {
    const { phone, laptop, session } = await begun();
    for (let i = 0; i < 42; i++) {
        await Promise.all(Array.from({ length: 50 }, () => challenged(phone.client.deleteDevice("PHONE"))));
        phone.network.seen.length = 0;
    }
    const answer = await challenged(phone.client.deleteDevice("LAPTOP", { session }));
    assert.notEqual(answer.session, session);
    await phone.client.deleteDevice("LAPTOP", proof(phone, answer.session));
    await refused(laptop.whoami(), 401, "M_UNKNOWN_TOKEN");
});
