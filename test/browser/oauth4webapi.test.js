// oauth4webapi, a strict client library of OAuth 2.0 that certified clients stand on: in Node, and in the windows of a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { forPages, oauth4webapi as oauth } from "../clients/js/libraries.js";
import { arrived, newDevice, page, prove, scope, site, television, web } from "./proof.js";

class App {
    device = newDevice();
    verifier = oauth.generateRandomCodeVerifier();
    state = oauth.generateRandomState();

    static async register(base, metadata, algorithm = "oidc") {
        const app = new App();
        const issuer = new URL(`${base}/`);
        app.server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }));
        const answer = await oauth.dynamicClientRegistrationRequest(app.server, metadata);
        app.client = await oauth.processDynamicClientRegistrationResponse(answer);
        return app;
    }

    async begin({ redirect, mode, prompt }) {
        this.redirect = redirect;
        const url = new URL(this.server.authorization_endpoint);
        url.search = new URLSearchParams({
            client_id: this.client.client_id,
            redirect_uri: redirect,
            response_type: "code",
            response_mode: mode,
            scope: scope(this.device),
            state: this.state,
            code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
            code_challenge_method: "S256",
            ...(prompt && { prompt }),
        });
        return url.href;
    }

    async finish(at) {
        const { server, client, redirect, verifier } = this;
        const answer = oauth.validateAuthResponse(server, client, new URLSearchParams(at.hash.slice(1) || at.search), this.state);
        const got = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirect, verifier);
        return pairOf(await oauth.processAuthorizationCodeResponse(server, client, got));
    }

    async refresh(token) {
        const { server, client } = this;
        const answer = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token);
        return pairOf(await oauth.processRefreshTokenResponse(server, client, answer));
    }

    async revoke(token, hint) {
        const more = { additionalParameters: { token_type_hint: hint } };
        await oauth.processRevocationResponse(await oauth.revocationRequest(this.server, this.client, oauth.None(), token, more));
    }

    async ask() {
        const { server, client } = this;
        const answer = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), { scope: scope(this.device) });
        return oauth.processDeviceAuthorizationResponse(server, client, answer);
    }

    /** Polls, as its documentation shows, and slows down when it is told to. */
    async wait({ device_code, interval }) {
        const { server, client } = this;
        const answer = await oauth.deviceCodeGrantRequest(server, client, oauth.None(), device_code);
        try {
            return pairOf(await oauth.processDeviceCodeResponse(server, client, answer));
        } catch ({ error, ...more }) {
            this.heard.push(error);
            if (error === "slow_down") interval += 5;
            else if (error !== "authorization_pending") throw { error, ...more };
        }
        await setTimeout(interval * 1000);
        return this.wait({ device_code, interval });
    }
    heard = [];

    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

const library = readFileSync(forPages);
const stage = prove(App, { serve: (path) => (path.endsWith(".js") ? library : page) });
const { server, browser, visit, session, signIn, whoami, over } = stage;

/** How a client says who it is when it revokes: a foreign one, and nobody. */
const strangers = {
    foreign: (_, __, body) => body.set("client_id", "zzzzzzzzzzzzzzzzzzzzzzzzzz"),
    missing: () => {},
};
for (const [name, stranger] of Object.entries(strangers)) {
    test(`whoever finds a token may revoke it: client_id ${name}`, async () => {
        const { app, pair } = await session();
        await oauth.processRevocationResponse(await oauth.revocationRequest(app.server, app.client, stranger, pair.refresh));
        await over(pair.access, undefined);
        await assert.rejects(app.refresh(pair.refresh), app.isOver);
    });
}

test("who polls too fast is slowed down, and who is refused hears it", async () => {
    const app = await App.register(server.front.url, television);
    const asked = await app.ask();
    const polls = [app.wait(asked)];
    while (app.heard.length === 0) await setTimeout(10);
    polls.push(app.wait(asked));
    for (const poll of polls) poll.catch(() => {});
    await visit(asked.verification_uri_complete, async (window) => {
        await signIn(window);
        await window.getByLabel("Code").waitFor();
        assert.equal(await window.getByLabel("Code").inputValue(), asked.user_code);
        await window.getByRole("button", { name: "Continue" }).click();
        await window.getByText(asked.user_code).waitFor();
        await window.getByRole("button", { name: "Cancel" }).click();
        await window.waitForLoadState();
    });
    for (const poll of polls) await assert.rejects(poll, ({ error }) => error === "access_denied" || assert.fail(error));
    assert.ok(app.heard.includes("authorization_pending"), `${app.heard}`);
    assert.ok(app.heard.includes("slow_down"), `${app.heard}`);
});

// What the page's own script does, in the page. It keeps what it has where all its windows find it.

async function begin({ issuer, metadata, scope, redirect_uri }) {
    const oauth = await import("/oauth4webapi.js");
    const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: "oauth2" }));
    const answer = await oauth.dynamicClientRegistrationRequest(server, metadata);
    const client = await oauth.processDynamicClientRegistrationResponse(answer);
    const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
    localStorage.kept = JSON.stringify({ server, client, verifier, state, redirect_uri });
    const url = new URL(server.authorization_endpoint);
    const code_challenge = await oauth.calculatePKCECodeChallenge(verifier);
    const request = { response_type: "code", response_mode: "fragment", client_id: client.client_id, redirect_uri, scope, state };
    url.search = new URLSearchParams({ ...request, code_challenge, code_challenge_method: "S256" });
    window.setTimeout(() => location.assign(url));
}

async function finish() {
    const oauth = await import("/oauth4webapi.js");
    const { server, client, verifier, state, redirect_uri } = JSON.parse(localStorage.kept);
    const answer = oauth.validateAuthResponse(server, client, new URLSearchParams(location.hash.slice(1)), state);
    const got = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirect_uri, verifier);
    localStorage.pair = JSON.stringify(await oauth.processAuthorizationCodeResponse(server, client, got));
}

async function refresh(token) {
    const oauth = await import("/oauth4webapi.js");
    const { server, client } = JSON.parse(localStorage.kept);
    const answer = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token);
    return oauth.processRefreshTokenResponse(server, client, answer);
}

test("a page on an origin of its own: sign in; three windows refresh at once, again and again; one revokes", async () => {
    const context = await browser().newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    try {
        await visit(
            `${site}/`,
            async (window) => {
                const request = { issuer: `${server.front.url}/`, metadata: web, scope: scope(newDevice()), redirect_uri: web.redirect_uris[0] };
                await window.evaluate(begin, request);
                await signIn(window);
                await arrived(window);
                await window.evaluate(finish);
                let pair = JSON.parse(await window.evaluate(() => localStorage.pair));
                const windows = [window, await context.newPage(), await context.newPage()];
                for (const other of windows.slice(1)) await other.goto(`${site}/`);
                for (let round = 0; round < 3; round++) {
                    const pairs = await Promise.all(windows.map((each) => each.evaluate(refresh, pair.refresh_token)));
                    assert.equal(new Set(pairs.map(({ access_token }) => access_token)).size, 1);
                    [pair] = pairs;
                }
                assert.equal((await whoami(pair.access_token)).status, 200);
                await window.evaluate(async (token) => {
                    const oauth = await import("/oauth4webapi.js");
                    const { server, client } = JSON.parse(localStorage.kept);
                    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, oauth.None(), token));
                }, pair.access_token);
                await over(pair.access_token, undefined);
            },
            context,
        );
    } finally {
        await context.close();
    }
});
