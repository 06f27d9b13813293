// Several windows share one session. They must not log each other out.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, tokens } from "./client.js";
import { expiry, refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--access-ttl", "1500ms");

const windows = (tab, count) => Array.from({ length: count }, () => tab.another());
const refreshAll = async (tabs) => (await Promise.all(tabs.map((tab) => tab.refresh()))).map(tokens);

function assertOnePair(pairs) {
    assert.equal(new Set(pairs.map((pair) => JSON.stringify(pair))).size, 1);
}

async function assertGoOn(tabs) {
    const owners = await Promise.all(tabs.map((tab) => tab.whoami()));
    assert.ok(owners.every(({ device_id }) => device_id === tabs[0].session.device_id));
    assert.deepEqual(tabs.flatMap(({ loggedOut }) => loggedOut), []);
}

test("two tabs refresh at the same time: one pair, and both go on", async () => {
    const tabs = windows(await logIn(server), 2);
    assertOnePair(await refreshAll(tabs));
    await assertGoOn(tabs);
});

test("two tabs whose token has expired refresh at the same time", async () => {
    const tabs = windows(await logIn(server), 2);
    await expiry(tabs[0].session);
    for (const tab of tabs) await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    assertOnePair(await refreshAll(tabs));
    await Promise.all(tabs.map((tab) => tab.whoami()));
});

test("the second tab comes before the new pair was used", async () => {
    const [first, second] = windows(await logIn(server), 2);
    assertOnePair([tokens(await first.refresh()), tokens(await second.refresh())]);
    await assertGoOn([first, second]);
});

test("the second tab comes after the new pair was used, within the leeway", async () => {
    const [first, second] = windows(await logIn(server), 2);
    const pair = await first.refresh();
    await first.whoami();
    assertOnePair([tokens(pair), tokens(await second.refresh())]);
    await assertGoOn([first, second]);
});

test("both tabs refresh once more after that", async () => {
    const tabs = windows(await logIn(server), 2);
    for (let round = 0; round < 3; round++) {
        assertOnePair(await refreshAll(tabs));
        await assertGoOn(tabs);
    }
});

test("one tab refreshes while another is asking", async () => {
    const [first, second] = windows(await logIn(server), 2);
    await Promise.all([first.refresh(), ...Array.from({ length: 10 }, () => second.whoami())]);
    await first.whoami();
    await second.refresh();
    await second.whoami();
    assert.deepEqual(second.loggedOut, []);
});

test("twenty tabs at once: one pair, one generation", async () => {
    const tab = await logIn(server);
    const tabs = windows(tab, 20);
    assertOnePair(await refreshAll(tabs));
    await assertGoOn(tabs);
    assert.deepEqual((await server.sessions(tab.user)).map(({ GENERATION }) => GENERATION), ["2"]);
});

test("twenty tabs, ten rounds: ten pairs", async () => {
    const tab = await logIn(server);
    const tabs = windows(tab, 20);
    for (let round = 0; round < 10; round++) {
        assertOnePair(await refreshAll(tabs));
        await tabs[round].whoami();
    }
    await assertGoOn(tabs);
    assert.deepEqual((await server.sessions(tab.user)).map(({ GENERATION }) => GENERATION), ["11"]);
});

test("twenty tabs, and half of the answers are lost", async () => {
    const tabs = windows(await logIn(server), 20);
    for (const tab of tabs.slice(10)) tab.network.lose("/refresh");
    await Promise.allSettled(tabs.map((tab) => tab.refresh()));
    await Promise.all(tabs.slice(10).map((tab) => tab.refresh()));
    assertOnePair(tabs.map(({ session }) => tokens(session)));
    await assertGoOn(tabs);
});
