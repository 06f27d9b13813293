// An application on matrix-js-sdk 43, which logs in, refreshes and logs out by the OAuth 2.0 API and by nothing else.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createClient, HttpApiEvent, OAuth2 } from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

import { Network, refused, silent } from "./network.js";
import { signIn, visit } from "./person.js";
import { oauthServerFor, password } from "./server.js";

logger.setLevel("silent", false);
const server = oauthServerFor("--access-ttl", "3s", "--registration", "open");
const redirect = "https://app.example.com/callback";
const metadata = {
    client_name: "App",
    client_uri: "https://app.example.com",
    application_type: "web",
    redirect_uris: [redirect],
};

// The sdk talks to the OAuth 2.0 API by the global fetch.
const network = new Network();
const real = globalThis.fetch;
after(() => (globalThis.fetch = real));

/** One window of an application that has a session. */
class Tab {
    network = new Network();
    loggedOut = [];

    constructor(oauth, pair) {
        this.oauth = oauth;
        this.pair = pair;
        this.client = createClient({
            baseUrl: server.url,
            accessToken: pair.access_token,
            refreshToken: pair.refresh_token,
            deviceId: oauth.context.deviceId,
            oauthClientId: oauth.context.clientId,
            fetchFn: this.network.fetch,
            logger: silent,
            onTokenRefresh: ({ accessToken, refreshToken }) =>
                Object.assign(this.pair, { access_token: accessToken, refresh_token: refreshToken }),
        });
        this.client.on(HttpApiEvent.SessionLoggedOut, (error) => this.loggedOut.push(error));
    }

    another() {
        return new Tab(this.oauth, { ...this.pair });
    }
}

const discover = () => createClient({ baseUrl: server.url, logger: silent }).getAuthMetadata();

/** Registers the application and gives where it sends the person. */
async function begin(prompt, responseMode) {
    const found = await discover();
    const clientId = await OAuth2.registerClient(found, metadata, silent);
    const oauth = new OAuth2(found, { clientId }, silent);
    const url = await oauth.generateAuthorizationCodeGrantUrl("a:b c", redirect, responseMode, prompt);
    return { oauth, url };
}

/** What the application reads of where the browser was sent. */
function read(url, mode = "hash") {
    assert.equal(url.origin + url.pathname, redirect);
    const answer = new URLSearchParams(url[mode].slice(1));
    assert.equal(answer.get("state"), "a:b c");
    assert.equal(answer.get("iss"), `${server.url}/`);
    return answer;
}

async function logIn() {
    const { oauth, url } = await begin();
    const answer = read(await signIn(url, await server.addUser()));
    return new Tab(oauth, await oauth.completeAuthorizationCodeGrant(answer.get("code"), redirect));
}

const expiry = () => new Promise((resolve) => setTimeout(resolve, 3100));

test("the sdk takes the metadata", async () => {
    const found = await discover();
    assert.equal(found.issuer, `${server.url}/`);
    assert.deepEqual(found.code_challenge_methods_supported, ["S256"]);
});

test("sign in, use, log out", async () => {
    const tab = await logIn();
    const { device_id } = await tab.client.whoami();
    assert.equal(device_id, tab.oauth.context.deviceId);
    await tab.client.logout();
    await refused(tab.another().client.whoami(), 401, "M_UNKNOWN_TOKEN");
});

test("the answer in the query", async () => {
    const { oauth, url } = await begin(undefined, "query");
    const answer = read(await signIn(url, await server.addUser()), "search");
    await oauth.completeAuthorizationCodeGrant(answer.get("code"), redirect);
});

test("create an account", async () => {
    const { oauth, url } = await begin("create");
    const user = server.newName();
    const answer = read(await visit(url, { user, password, do: "create" }));
    const tab = new Tab(oauth, await oauth.completeAuthorizationCodeGrant(answer.get("code"), redirect));
    assert.match((await tab.client.whoami()).user_id, new RegExp(`^@${user}:`));
});

test("the person does not agree", async () => {
    const { url } = await begin();
    assert.equal(read(await visit(url, { do: "cancel" })).get("error"), "access_denied");
});

test("an expired access token: the sdk renews and repeats the request", async () => {
    const tab = await logIn();
    await expiry();
    await tab.client.whoami();
    await tab.client.whoami();
    assert.deepEqual(tab.network.to("/whoami").map(({ status }) => status), [401, 200, 200]);
    assert.deepEqual(tab.loggedOut, []);
});

test("a lost answer: the next try gets the pair, and nobody is logged out", async () => {
    const tab = await logIn();
    await expiry();
    globalThis.fetch = network.fetch;
    network.lose("/oauth2/token");
    await assert.rejects(tab.client.whoami());
    await tab.client.whoami();
    globalThis.fetch = real;
    const [lost, got] = network.to("/oauth2/token").map(({ answer }) => answer);
    assert.equal(got.access_token, lost.access_token);
    assert.deepEqual(tab.loggedOut, []);
});

test("two windows renew at the same time, and each goes on", async () => {
    const tab = await logIn();
    await expiry();
    const tabs = [tab, tab.another(), tab.another()];
    await Promise.all(tabs.map(({ client }) => client.whoami()));
    assert.equal(new Set(tabs.map(({ pair }) => pair.access_token)).size, 1);
    assert.deepEqual(tabs.flatMap(({ loggedOut }) => loggedOut), []);
});

test("a window that slept while another renewed goes on with its token until it expires, and renews then", async () => {
    const tab = await logIn();
    const asleep = tab.another();
    await tab.oauth.performRefreshTokenGrant(tab.pair.refresh_token);
    await asleep.client.whoami();
    await expiry();
    await asleep.client.whoami();
    assert.deepEqual(asleep.loggedOut, []);
});

test("a replayed refresh token ends the session softly, and the sdk hears that it is over", async () => {
    const tab = await logIn();
    const first = tab.pair.refresh_token;
    const second = await tab.oauth.performRefreshTokenGrant(first);
    const third = await tab.oauth.performRefreshTokenGrant(second.refresh_token);
    await assert.rejects(tab.oauth.performRefreshTokenGrant(first), /invalid_grant|refresh|Failed/i);
    await assert.rejects(tab.oauth.performRefreshTokenGrant(third.refresh_token));
    const error = await refused(new Tab(tab.oauth, third).client.whoami(), 401, "M_UNKNOWN_TOKEN");
    assert.equal(error.data.soft_logout, true);
});

test("a code that comes twice at once gives one pair", async () => {
    const { oauth, url } = await begin();
    const code = read(await signIn(url, await server.addUser())).get("code");
    const pairs = await Promise.all([1, 2].map(() => oauth.completeAuthorizationCodeGrant(code, redirect)));
    assert.equal(pairs[0].access_token, pairs[1].access_token);
});
