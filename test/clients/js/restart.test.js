// A server that stops, or is killed, logs nobody out.
import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, tokens } from "./client.js";
import { serverFor } from "./server.js";

const server = serverFor();

async function restart(signal) {
    const code = await server.end(signal);
    await server.start();
    return code;
}

test("SIGTERM ends with exit code 0, and tokens are good afterwards", async () => {
    const tab = await logIn(server);
    assert.equal(await restart("SIGTERM"), 0);
    await tab.whoami();
    await tab.refresh();
    await tab.whoami();
    assert.deepEqual(tab.loggedOut, []);
});

test("while the server is away, a client sees a connection error and no logout", async () => {
    const tab = await logIn(server);
    await server.end("SIGTERM");
    try {
        await assert.rejects(tab.whoami(), { name: "ConnectionError" });
        await assert.rejects(tab.refresh(), { name: "ConnectionError" });
    } finally {
        await server.start();
    }
    await tab.refresh();
    await tab.whoami();
    assert.deepEqual(tab.loggedOut, []);
});

test("SIGKILL right after an answered refresh: the pair is good", async () => {
    const tab = await logIn(server);
    const old = tab.another();
    await tab.refresh();
    await restart("SIGKILL");
    await tab.whoami();
    await tab.refresh();
    await tab.whoami();
    await old.whoami(); // it has not expired
});

test("SIGKILL right after a refresh whose answer was lost: asking again gives the same pair", async () => {
    const tab = await logIn(server);
    tab.network.lose("/refresh");
    await assert.rejects(tab.refresh());
    await restart("SIGKILL");
    await tab.refresh();
    const [lost, got] = tab.network.to("/refresh").map(({ answer }) => tokens(answer));
    assert.deepEqual(got, lost);
    await tab.whoami();
});

test("SIGKILL amid twenty refreshes: every tab goes on with one pair", async () => {
    const tab = await logIn(server);
    const tabs = Array.from({ length: 20 }, () => tab.another());
    const amid = Promise.allSettled(tabs.map((tab) => tab.refresh()));
    await restart("SIGKILL");
    const results = await amid;
    await Promise.all(tabs.filter((_, i) => results[i].status === "rejected").map((tab) => tab.refresh()));
    assert.equal(new Set(tabs.map(({ session }) => session.access_token)).size, 1);
    await Promise.all(tabs.map((tab) => tab.whoami()));
});

test("SIGKILL right after a logout: it stays logged out", async () => {
    const tab = await logIn(server);
    await tab.client.logout();
    await restart("SIGKILL");
    await assert.rejects(tab.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
});
