import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, Tab } from "./client.js";
import { authenticate, challenged, enter, proof, stages } from "./interactive.js";
import { refused } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor();

/** A user with a phone and a laptop. */
async function twoDevices() {
    const phone = await logIn(server, { device_id: "PHONE", initial_device_display_name: "Pocket" });
    const laptop = await logIn(server, { user: phone.user, device_id: "LAPTOP" });
    return { phone, laptop };
}

const ids = async ({ client }) => (await client.getDevices()).devices.map(({ device_id }) => device_id).sort();

/** Expects both tokens to be dead for good: the client may forget the device. */
async function assertGone(tab) {
    const { data } = await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.ok(!data.soft_logout);
    assert.equal(tab.loggedOut.length, 1);
    assert.ok(!(await refused(tab.refresh(), 401, "M_UNKNOWN_TOKEN")).data.soft_logout);
}

test("the list has all devices of the user, and of nobody else", async () => {
    const { phone, laptop } = await twoDevices();
    await logIn(server, { device_id: "OTHER" });
    assert.deepEqual(await ids(phone), ["LAPTOP", "PHONE"]);
    assert.deepEqual(await ids(laptop), ["LAPTOP", "PHONE"]);
});

test("a device has its name, and one without a name has none", async () => {
    const { phone } = await twoDevices();
    assert.equal((await phone.client.getDevice("PHONE")).display_name, "Pocket");
    assert.ok(!(await phone.client.getDevice("LAPTOP")).display_name);
});

test("a device tells when and from where it was last seen", async () => {
    const { phone, laptop } = await twoDevices();
    await laptop.whoami();
    const one = await phone.client.getDevice("LAPTOP");
    const { devices } = await phone.client.getDevices();
    assert.deepEqual(devices.find(({ device_id }) => device_id === "LAPTOP"), one);
    assert.equal(one.last_seen_ip, "127.0.0.1");
    assert.ok(Math.abs(Date.now() - one.last_seen_ts) < 60_000, String(one.last_seen_ts));
});

test("setDeviceDetails renames, for the other devices as well", async () => {
    const { phone, laptop } = await twoDevices();
    assert.deepEqual(await phone.client.setDeviceDetails("LAPTOP", { display_name: "Lap ☃" }), {});
    assert.equal((await laptop.client.getDevice("LAPTOP")).display_name, "Lap ☃");
    assert.deepEqual((await server.sessions(phone.user)).map(({ NAME }) => NAME).sort(), ["Lap ☃", "Pocket"]);
});

test("setDeviceDetails without a name changes nothing", async () => {
    const { phone } = await twoDevices();
    await phone.client.setDeviceDetails("PHONE", {});
    assert.equal((await phone.client.getDevice("PHONE")).display_name, "Pocket");
});

test("a device id with every kind of letter", async () => {
    const tab = await logIn(server, { device_id: "a/b?c#d%2Fe ☃" });
    await tab.client.setDeviceDetails(tab.deviceId, { display_name: "Odd" });
    assert.equal((await tab.client.getDevice(tab.deviceId)).display_name, "Odd");
    await authenticate(tab, enter(tab), (auth) => tab.client.deleteDevice(tab.deviceId, auth));
    await assertGone(tab);
});

test("a device that does not exist is M_NOT_FOUND", async () => {
    const { client } = await logIn(server);
    await refused(client.getDevice("NONE"), 404, "M_NOT_FOUND");
    await refused(client.setDeviceDetails("NONE", { display_name: "x" }), 404, "M_NOT_FOUND");
});

test("another user's device is M_NOT_FOUND, and stays as it is", async () => {
    const { phone } = await twoDevices();
    const tab = await logIn(server);
    await refused(tab.client.getDevice("PHONE"), 404, "M_NOT_FOUND");
    await refused(tab.client.setDeviceDetails("PHONE", { display_name: "Mine" }), 404, "M_NOT_FOUND");
    await authenticate(tab, enter(tab), (auth) => tab.client.deleteDevice("PHONE", auth));
    await authenticate(tab, enter(tab), (auth) => tab.client.deleteMultipleDevices(["PHONE"], auth));
    assert.equal((await phone.client.getDevice("PHONE")).display_name, "Pocket");
    await tab.whoami();
});

test("deleteDevice asks for the password and ends that device at once", async () => {
    const { phone, laptop } = await twoDevices();
    const asked = [];
    const answer = await authenticate(phone, enter(phone), (auth) => phone.client.deleteDevice("LAPTOP", auth), asked);
    assert.deepEqual([answer, asked], [{}, ["m.login.password"]]);
    await assertGone(laptop);
    assert.deepEqual(await ids(phone), ["PHONE"]);
    assert.deepEqual(phone.loggedOut, []);
});

test("nothing is deleted before the password was right", async () => {
    const { phone, laptop } = await twoDevices();
    const answer = await challenged(phone.client.deleteDevice("LAPTOP"));
    assert.deepEqual(stages(answer), [["m.login.password"]]);
    const wrong = await challenged(phone.client.deleteDevice("LAPTOP", proof(phone, answer.session, "wrong")));
    assert.deepEqual([wrong.errcode, wrong.session], ["M_FORBIDDEN", answer.session]);
    await laptop.whoami();
    assert.deepEqual(phone.loggedOut, [], "a wrong password logs nobody out");
});

test("a wrong password, and then the right one", async () => {
    const { phone, laptop } = await twoDevices();
    const asked = [];
    await authenticate(phone, enter(phone, "wrong", password), (auth) => phone.client.deleteDevice("LAPTOP", auth), asked);
    assert.deepEqual(asked, ["m.login.password", "m.login.password M_FORBIDDEN"]);
    await assertGone(laptop);
});

test("a proof right away, without a session", async () => {
    const { phone, laptop } = await twoDevices();
    await phone.client.deleteDevice("LAPTOP", proof(phone));
    await assertGone(laptop);
    assert.equal(phone.network.to("/LAPTOP").length, 1);
});

test("the older ways to name the user, or none", async () => {
    const tab = await logIn(server);
    for (const user of [{ user: tab.user }, { user: tab.userId }, {}]) {
        const { identifier, ...auth } = proof(tab);
        await tab.client.deleteDevice("NONE", { ...auth, ...user });
    }
});

test("DELETE without any body is asked as well", async () => {
    const tab = await logIn(server);
    const answer = await challenged(tab.client.http.authedRequest("DELETE", `/devices/${tab.deviceId}`));
    await tab.client.deleteDevice(tab.deviceId, proof(tab, answer.session));
    await assertGone(tab);
});

test("deleteMultipleDevices ends several, known or not, and leaves the others", async () => {
    const { phone, laptop } = await twoDevices();
    const tablet = await logIn(server, { user: phone.user, device_id: "TABLET" });
    await authenticate(phone, enter(phone), (auth) => phone.client.deleteMultipleDevices(["LAPTOP", "TABLET", "NONE"], auth));
    await assertGone(laptop);
    await assertGone(tablet);
    await phone.whoami();
    assert.deepEqual(await ids(phone), ["PHONE"]);
});

test("a device may delete itself", async () => {
    const { phone, laptop } = await twoDevices();
    await authenticate(phone, enter(phone), (auth) => phone.client.deleteMultipleDevices(["PHONE"], auth));
    await assertGone(phone);
    await laptop.whoami();
});

test("a deleted device's tabs, and what they refresh at the same time, end together", async () => {
    const { phone, laptop } = await twoDevices();
    const tabs = Array.from({ length: 10 }, () => laptop.another());
    await Promise.allSettled([
        phone.client.deleteDevice("LAPTOP", proof(phone)),
        ...tabs.map((tab) => tab.refresh()),
    ]);
    for (const tab of tabs) await assertGone(tab);
});

test("a deleted device's id comes back as a new device", async () => {
    const { phone } = await twoDevices();
    await phone.client.deleteDevice("LAPTOP", proof(phone));
    const again = await logIn(server, { user: phone.user, device_id: "LAPTOP", initial_device_display_name: "New" });
    assert.equal((await again.client.getDevice("LAPTOP")).display_name, "New");
});

test("without an access token nobody is asked for a password", async () => {
    const { client } = new Tab(server);
    await refused(client.getDevices(), 401, "M_MISSING_TOKEN");
    await refused(client.getDevice("X"), 401, "M_MISSING_TOKEN");
    await refused(client.deleteDevice("X"), 401, "M_MISSING_TOKEN");
    await refused(client.deleteMultipleDevices(["X"]), 401, "M_MISSING_TOKEN");
});
