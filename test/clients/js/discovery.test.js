// What a client asks before it logs in, and what it then may do.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AutoDiscovery } from "matrix-js-sdk";

import { logIn, Tab } from "./client.js";
import { refused } from "./network.js";
import { serverFor } from "./server.js";

const publicURL = "https://matrix.example.org";
const server = serverFor("--public-url", publicURL);
const older = serverFor("--public-url", publicURL, "--oauth", "off");

// The proxy in front, which has the certificates.
AutoDiscovery.setFetchFn((url, options) => fetch(String(url).replace(/^https:\/\/[^/]+/, server.url), options));

test("the sdk discovers the server by its domain", async () => {
    const { "m.homeserver": found } = await AutoDiscovery.findClientConfig("example.org");
    assert.deepEqual(found, { state: "SUCCESS", error: null, base_url: publicURL });
});

test("a web client of another origin may read the well-known file", async () => {
    const response = await fetch(`${server.url}/.well-known/matrix/client`);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.match(response.headers.get("content-type"), /^application\/json/);
    assert.deepEqual(await response.json(), { "m.homeserver": { base_url: publicURL } });
});

test("a login tells where the server is", async () => {
    const { session } = await logIn(server);
    assert.deepEqual(session.well_known, { "m.homeserver": { base_url: publicURL } });
    const config = await AutoDiscovery.fromDiscoveryConfig(session.well_known);
    assert.equal(config["m.homeserver"].state, "SUCCESS");
});

test("capabilities", async () => {
    const { client } = await logIn(server);
    const capabilities = await client.getCapabilities();
    assert.equal(capabilities["m.change_password"].enabled, true);
    assert.equal(capabilities["m.3pid_changes"].enabled, false);
    assert.equal(capabilities["m.get_login_token"].enabled, false);
    await refused(new Tab(server).client.getCapabilities(), 401, "M_MISSING_TOKEN");
});

test("where there is a public URL an application finds both APIs", async () => {
    const { client } = new Tab(server);
    assert.equal((await client.getAuthMetadata()).issuer, `${publicURL}/`);
    assert.ok((await client.loginFlows()).flows.some(({ type }) => type === "m.login.password"));
});

test("--oauth off: an application goes on with the password", async () => {
    const { client } = new Tab(older);
    await refused(client.getAuthMetadata(), 404, "M_UNRECOGNIZED");
    assert.ok((await client.loginFlows()).flows.some(({ type }) => type === "m.login.password"));
});

test("the name under which refresh tokens were tried out", async () => {
    const tab = await logIn(server);
    const unstable = { prefix: "/_matrix/client/unstable/org.matrix.msc2918" };
    const { refresh_token } = tab.session;
    const pair = await tab.client.http.authedRequest("POST", "/refresh", undefined, { refresh_token }, unstable);
    await new Tab(server, { ...tab.session, ...pair }).whoami();
});

test("registration, devices and the account by the r0 prefix", async () => {
    const tab = await logIn(server);
    const r0 = { prefix: "/_matrix/client/r0" };
    const { devices } = await tab.client.http.authedRequest("GET", "/devices", undefined, undefined, r0);
    assert.deepEqual(devices.map(({ device_id }) => device_id), [tab.deviceId]);
    await tab.client.http.authedRequest("GET", "/capabilities", undefined, undefined, r0);
    await refused(tab.client.http.request("POST", "/register", undefined, {}, r0), 403, "M_FORBIDDEN");
    const weak = { new_password: "short" };
    await refused(tab.client.http.authedRequest("POST", "/account/password", undefined, weak, r0), 400, "M_WEAK_PASSWORD");
});
