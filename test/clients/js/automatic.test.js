// matrix-js-sdk 42 renews by itself: upon M_UNKNOWN_TOKEN, or shortly before the token expires, it calls the
// tokenRefreshFunction and repeats the request. It is the last version in which that is not tied to OAuth.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, HttpApiEvent } from "matrix-js-sdk-42";

import { expiry, Network, refused, silent } from "./network.js";
import { password, serverFor } from "./server.js";

const server = serverFor("--access-ttl", "1500ms");

/** A client that renews by itself. */
class Tab {
    network = new Network();
    loggedOut = [];

    constructor(session, { tellsExpiry = false } = {}) {
        this.session = session;
        const common = { baseUrl: server.url, fetchFn: this.network.fetch, logger: silent };
        // While a client renews it holds its own requests back, so another one does the asking.
        const renewer = createClient(common);
        this.client = createClient({
            ...common,
            accessToken: session.access_token,
            refreshToken: session.refresh_token,
            tokenRefreshFunction: async (token) => {
                const pair = await renewer.refreshToken(token);
                const expiry = tellsExpiry ? new Date(Date.now() + pair.expires_in_ms) : undefined;
                return { accessToken: pair.access_token, refreshToken: pair.refresh_token, expiry };
            },
        });
        this.client.on(HttpApiEvent.SessionLoggedOut, (error) => this.loggedOut.push(error));
    }

    get refreshes() {
        return this.network.to("/refresh").length;
    }
}

async function logIn() {
    const user = await server.addUser();
    const identifier = { type: "m.id.user", user };
    const body = { type: "m.login.password", identifier, password, refresh_token: true };
    return { user, ...(await createClient({ baseUrl: server.url, logger: silent }).loginRequest(body)) };
}

/** Tabs that share a session whose access token has expired. */
async function expired(count = 1, options) {
    const session = await logIn();
    await expiry(session);
    return Array.from({ length: count }, () => new Tab(session, options));
}

test("an expired access token: the sdk renews and repeats the request", async () => {
    const [tab] = await expired();
    assert.equal((await tab.client.whoami()).device_id, tab.session.device_id);
    assert.deepEqual(tab.network.seen.map(({ status }) => status), [401, 200, 200]);
    assert.deepEqual(tab.loggedOut, []);
});

test("ten requests at once renew once", async () => {
    const [tab] = await expired();
    await Promise.all(Array.from({ length: 10 }, () => tab.client.whoami()));
    assert.equal(tab.refreshes, 1);
    assert.deepEqual(tab.loggedOut, []);
});

test("a client that knows the expiry renews before it", async () => {
    const [tab] = await expired(1, { tellsExpiry: true });
    await tab.client.whoami();
    await expiry(tab.network.to("/refresh")[0].answer);
    await tab.client.whoami();
    assert.equal(tab.refreshes, 2);
    assert.deepEqual(tab.network.seen.map(({ status }) => status), [401, 200, 200, 200, 200]);
});

test("a lost answer: the request fails, the next one renews, nobody is logged out", async () => {
    const [tab] = await expired();
    tab.network.lose("/refresh");
    await assert.rejects(tab.client.whoami(), { name: "TokenRefreshError" });
    await tab.client.whoami();
    const [lost, got] = tab.network.to("/refresh").map(({ answer }) => answer.access_token);
    assert.equal(got, lost);
    assert.deepEqual(tab.loggedOut, []);
});

test("two tabs renew by themselves at the same time", async () => {
    const tabs = await expired(2);
    await Promise.all(tabs.map(({ client }) => client.whoami()));
    await Promise.all(tabs.map(({ client }) => client.whoami()));
    assert.deepEqual(tabs.flatMap(({ loggedOut }) => loggedOut), []);
    const pairs = tabs.map(({ client }) => client.getAccessToken());
    assert.equal(new Set(pairs).size, 1);
});

test("twenty tabs renew by themselves, twice", async () => {
    const tabs = await expired(20);
    await Promise.all(tabs.map(({ client }) => client.whoami()));
    await expiry(tabs[0].network.to("/refresh")[0].answer);
    await Promise.all(tabs.map(({ client }) => client.whoami()));
    assert.deepEqual(tabs.flatMap(({ loggedOut }) => loggedOut), []);
    assert.equal(new Set(tabs.map(({ client }) => client.getAccessToken())).size, 1);
});

test("a server that restarts in between is not noticed", async () => {
    const [tab] = await expired();
    assert.equal(await server.end("SIGTERM"), 0);
    await server.start();
    await tab.client.whoami();
    assert.deepEqual(tab.loggedOut, []);
});

test("a session that was ended logs the client out, once and for good", async () => {
    const [tab] = await expired();
    await server.command(["session", "end", "--user", tab.session.user]);
    await refused(tab.client.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.deepEqual(tab.loggedOut.map(({ data }) => Boolean(data.soft_logout)), [false]);
    assert.equal(tab.refreshes, 1);
});

test("a replay logs the client out softly", async () => {
    const session = await logIn();
    const { client } = new Tab(session);
    for (let token = session.refresh_token, i = 0; i < 2; i++) token = (await client.refreshToken(token)).refresh_token;
    await expiry(session);
    const tab = new Tab(session);
    await refused(tab.client.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.deepEqual(tab.loggedOut.map(({ data }) => data.soft_logout), [true]);
});
