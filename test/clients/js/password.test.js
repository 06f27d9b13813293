// Changing the password, and deactivating the account.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { authenticate, challenged, enter, proof } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor("--registration", "open", "--password-min-length", "10");
const newPassword = "tr0ub4dor&3";

/** A user on two devices. */
async function twoDevices() {
    const phone = await logIn(server);
    return { phone, laptop: await logIn(server, { user: phone.user }) };
}

/** Changes the password through all of user-interactive authentication. */
const change = (tab, { logoutDevices, entered = enter(tab), asked } = {}) =>
    authenticate(tab, entered, (auth) => tab.client.setPassword(auth ?? undefined, newPassword, logoutDevices), asked);

async function assertChanged({ user }) {
    await refused(logIn(server, { user }), 403, "M_FORBIDDEN");
    await (await logIn(server, { user, password: newPassword })).whoami();
}

async function assertUnchanged({ user }) {
    await refused(logIn(server, { user, password: newPassword }), 403, "M_FORBIDDEN");
    await (await logIn(server, { user })).whoami();
}

async function assertGone(tab) {
    assert.ok(!(await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout);
    await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN");
}

test("setPassword: the new password works, the old one does not", async () => {
    const { phone } = await twoDevices();
    assert.deepEqual(await change(phone), {});
    await assertChanged(phone);
});

test("by default the other devices are logged out, and this one lives on", async () => {
    const { phone, laptop } = await twoDevices();
    await change(phone);
    await assertGone(laptop);
    assert.equal(laptop.loggedOut.length, 1);
    await phone.whoami();
    await phone.refresh();
    await phone.whoami();
    assert.deepEqual((await phone.client.getDevices()).devices.map(({ device_id }) => device_id), [phone.deviceId]);
});

test("logout_devices true says the same", async () => {
    const { phone, laptop } = await twoDevices();
    await change(phone, { logoutDevices: true });
    await assertGone(laptop);
    await phone.whoami();
});

test("logout_devices false keeps them all", async () => {
    const { phone, laptop } = await twoDevices();
    await change(phone, { logoutDevices: false });
    await laptop.whoami();
    await laptop.refresh();
    await phone.whoami();
    await assertChanged(phone);
});

test("the sdk's setPassword straight from InteractiveAuth, which begins with `auth: null`", async () => {
    const tab = await logIn(server);
    await authenticate(tab, enter(tab), (auth) => tab.client.setPassword(auth, newPassword));
    await assertChanged(tab);
});

test("a wrong old password changes nothing and is asked for again", async () => {
    const { phone, laptop } = await twoDevices();
    const asked = [];
    const gaveUp = change(phone, { entered: enter(phone, "wrong"), asked });
    await assert.rejects(gaveUp, /nothing more is entered/);
    assert.deepEqual(asked, ["m.login.password", "m.login.password M_FORBIDDEN"]);
    await laptop.whoami();
    assert.deepEqual(phone.loggedOut, []);
    await assertUnchanged(phone);
});

test("a weak new password is M_WEAK_PASSWORD, before the old one is asked for", async () => {
    const tab = await logIn(server);
    await refused(tab.client.setPassword(undefined, "too short"), 400, "M_WEAK_PASSWORD");
    await refused(tab.client.setPassword(proof(tab), "too short"), 400, "M_WEAK_PASSWORD");
    await tab.client.setPassword(proof(tab), "☃mjPq7xTb☃");
});

test("a proof right away, as password dialogs send it", async () => {
    const tab = await logIn(server);
    const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: tab.userId }, user: tab.userId, password };
    await tab.client.setPassword(auth, newPassword, false);
    await assertChanged(tab);
});

test("a password that is changed twice: the proof is the newer one", async () => {
    const tab = await logIn(server);
    await change(tab);
    const wrong = await challenged(tab.client.setPassword(proof(tab), password));
    assert.equal(wrong.errcode, "M_FORBIDDEN");
    await tab.client.setPassword(proof(tab, undefined, newPassword), password);
    await assertUnchanged(tab);
});

test("without an access token nobody changes a password", async () => {
    const { client } = new Tab(server);
    await refused(client.setPassword(proof({ user: await server.addUser() }), newPassword), 401, "M_MISSING_TOKEN");
});

test("deactivateAccount ends everything, and the next login is told why", async () => {
    const { phone, laptop } = await twoDevices();
    const answer = await authenticate(phone, enter(phone), (auth) => phone.client.deactivateAccount(auth, true));
    assert.deepEqual(answer, { id_server_unbind_result: "success" });
    for (const tab of [phone, laptop]) await assertGone(tab);
    await refused(logIn(server, { user: phone.user }), 403, "M_USER_DEACTIVATED");
    await refused(logIn(server, { user: phone.user, password: "wrong" }), 403, "M_FORBIDDEN");
});

test("the name of a deactivated account stays taken", async () => {
    const tab = await logIn(server);
    await tab.client.deactivateAccount(proof(tab));
    const again = { username: tab.user, password, auth: { type: "m.login.dummy" } };
    await refused(new Tab(server).client.registerRequest(again), 400, "M_USER_IN_USE");
});

test("nothing is deactivated before the password was right", async () => {
    const { phone, laptop } = await twoDevices();
    const { session } = await challenged(phone.client.deactivateAccount());
    const wrong = await challenged(phone.client.deactivateAccount(proof(phone, session, "wrong")));
    assert.equal(wrong.errcode, "M_FORBIDDEN");
    await laptop.whoami();
    await assertUnchanged(phone);
});
