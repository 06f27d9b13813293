// What every OAuth 2.0 client is held to, and its person in Chromium: over TLS, through the real pages.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { password, secureServerFor } from "../clients/js/server.js";
import { harmless, launch } from "./page.js";

export const site = "https://app.example.com";
export const callback = `${site}/callback`;

/** Two applications: one in a browser, one on a computer or a phone. */
export const web = { client_name: "App", client_uri: site, redirect_uris: [callback] };
const grants = { grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" };
Object.assign(web, grants, { application_type: "web" });
export const native = {
    ...web,
    application_type: "native",
    redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback", "com.example.app:/callback"],
};

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
/** A third one, on something that has no browser. */
export const television = { ...native, grant_types: [...native.grant_types, deviceGrant] };

export const newDevice = () => randomBytes(8).toString("hex");
export const scope = (device) => `urn:matrix:client:api:* urn:matrix:client:device:${device}`;

/** The application's page. */
export const page = "<!DOCTYPE html><html lang=en><title>App</title><link rel=icon href=data:,><h1>App</h1>";

/** A server behind TLS, an application's site by its own name, and a browser that finds both; for a whole test file. */
export function secured({ serve = () => page }, ...flags) {
    const server = secureServerFor("--registration", "open", ...flags);
    let browser;
    before(async () => {
        const port = await server.front.listen((request, answer) => {
            const [type, body] = [request.url.endsWith(".js") ? "text/javascript" : "text/html", serve(request.url)];
            answer.setHeader("content-type", type).end(body);
        });
        browser = await launch(`--host-resolver-rules=MAP app.example.com 127.0.0.1:${port}`);
    });
    after(() => browser?.close());

    const whoami = async (token) => {
        const headers = { authorization: `Bearer ${token}` };
        const answer = await fetch(`${server.front.url}/_matrix/client/v3/account/whoami`, { headers });
        return { status: answer.status, ...(await answer.json()) };
    };
    return {
        server,
        whoami,
        browser: () => browser,

        /** A browser of somebody who comes for the first time, or a window of one that is there. */
        async visit(url, f, context) {
            const own = context ?? (await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" }));
            const window = await own.newPage();
            const wrong = [];
            window.on("console", (message) => {
                if (!harmless.test(message.text())) wrong.push(message.text());
            });
            try {
                await window.goto(url);
                const result = await f(window);
                assert.deepEqual(wrong, []);
                return result;
            } finally {
                await (context ? window.close() : own.close());
            }
        },

        /** Fails unless the session of a token is over; softly if the keys on the device are to stay. */
        async over(token, soft) {
            const { status, errcode, soft_logout } = await whoami(token);
            assert.deepEqual({ status, errcode, soft_logout }, { status: 401, errcode: "M_UNKNOWN_TOKEN", soft_logout: soft });
        },
    };
}

/** Fills the form of a page in and sends it. */
export async function fill(window, fields, button) {
    for (const [label, value] of Object.entries(fields)) await window.getByLabel(label).fill(value);
    await window.getByRole("button", { name: button, exact: true }).click();
}

const signIn = (window, user) => fill(window, { "User name": user, Password: password }, "Sign in");

/** Where the browser has come back to, at the application or at another address of its own. */
export async function arrived(window, at = callback) {
    await window.waitForURL((url) => url.href.startsWith(`${at}?`) || url.href.startsWith(`${at}#`));
    return new URL(window.url());
}

/** Holds a client to all that a person, a bad network and a thief do. An App registers, begins, finishes, refreshes and revokes with
 *  nothing but its library, and as a device it asks and waits; `isOver` is what the library makes of an error. Gives the stage, and who signs in on it. */
export function prove(App, options = {}) {
    const stage = secured(options);
    const { server, visit, whoami, over } = stage;

    async function begin({ metadata = web, redirect = callback, ...more } = {}) {
        const app = await App.register(server.front.url, metadata);
        return { app, url: await app.begin({ redirect, mode: "fragment", ...more }) };
    }

    let user; // of all tests: each signs in on a device of its own
    before(async () => (user = await server.addUser()));

    /** Signs the person in, in a browser that knows nothing of it yet. */
    async function signedIn(options) {
        const { app, url } = await begin(options);
        const at = await visit(url, async (window) => {
            await signIn(window, user);
            return arrived(window);
        });
        return { app, at };
    }

    async function session(options) {
        const { app, at } = await signedIn(options);
        return { app, at, pair: await app.finish(at) };
    }

    const isOver = (app, work) => assert.rejects(work, (error) => app.isOver(error) || assert.fail(error));

    for (const mode of ["fragment", "query"]) {
        test(`register, sign in, ${mode}, token, whoami, refresh, revoke`, async () => {
            const { app, at, pair } = await session({ mode });
            assert.equal(at.hash !== "", mode === "fragment");
            const who = await whoami(pair.access);
            assert.equal(who.user_id, `@${user}:localhost`);
            assert.equal(who.device_id, app.device);
            const next = await app.refresh(pair.refresh);
            assert.equal((await whoami(next.access)).device_id, app.device);
            await Promise.all([app.revoke(next.refresh, "refresh_token"), app.revoke(next.access, "access_token")]);
            await app.revoke(next.refresh, "refresh_token");
            await over(next.access, undefined);
            await isOver(app, app.refresh(next.refresh));
        });
    }

    test("create an account", async () => {
        const { app, url } = await begin({ prompt: "create" });
        const name = server.newName();
        const at = await visit(url, async (window) => {
            await fill(window, { "User name": name, Password: password }, "Create account");
            return arrived(window);
        });
        assert.equal((await whoami((await app.finish(at)).access)).user_id, `@${name}:localhost`);
    });

    test("the person cancels", async () => {
        const { app, url } = await begin();
        const at = await visit(url, async (window) => {
            await fill(window, {}, "Cancel");
            return arrived(window);
        });
        await assert.rejects(app.finish(at), (error) => error.error === "access_denied" || assert.fail(error));
    });

    test("the answer to a code is lost", async () => {
        const { app, at } = await signedIn();
        server.front.lose("/oauth2/token");
        await assert.rejects(app.finish(at));
        if (App.forgets) {
            const { pair } = await session(); // the person signs in again
            assert.equal((await whoami(pair.access)).status, 200);
            return;
        }
        const pair = await app.finish(at);
        assert.equal((await whoami(pair.access)).status, 200);
        assert.equal((await whoami((await app.refresh(pair.refresh)).access)).status, 200);
    });

    test("answers to a refresh are lost", async () => {
        const { app, pair } = await session();
        server.front.lose("/oauth2/token", 2);
        await assert.rejects(app.refresh(pair.refresh), (error) => !app.isOver(error));
        await assert.rejects(app.refresh(pair.refresh), (error) => !app.isOver(error));
        const next = await app.refresh(pair.refresh);
        assert.equal((await whoami(next.access)).status, 200);
        assert.equal((await whoami((await app.refresh(next.refresh)).access)).status, 200);
    });

    test("four refresh at once and get the same pair", async () => {
        const { app, pair } = await session();
        const pairs = await Promise.all([1, 2, 3, 4].map(() => app.refresh(pair.refresh)));
        for (const { access, refresh } of pairs) assert.deepEqual({ access, refresh }, { access: pairs[0].access, refresh: pairs[0].refresh });
        assert.equal((await whoami(pairs[0].access)).status, 200);
    });

    test("a refresh token that comes back after its successor was used ends the session, softly", async () => {
        const { app, pair } = await session();
        const next = await app.refresh(pair.refresh);
        const last = await app.refresh(next.refresh);
        await isOver(app, app.refresh(pair.refresh));
        await over(last.access, true);
        await isOver(app, app.refresh(last.refresh));
    });

    for (const host of ["127.0.0.1", "localhost"]) {
        test(`an application on the person's computer, at any port of ${host}`, async () => {
            const came = [];
            const listener = createServer((request, answer) => {
                came.push(request.url);
                answer.setHeader("content-type", "text/html").end(page);
            });
            await once(listener.listen(0, host), "listening");
            try {
                const redirect = `http://${host}:${listener.address().port}/callback`;
                const { app, url } = await begin({ metadata: native, redirect, mode: "query" });
                await visit(url, async (window) => {
                    await signIn(window, user);
                    await arrived(window, redirect);
                });
                const pair = await app.finish(new URL(came[0], redirect));
                assert.equal((await whoami(pair.access)).user_id, `@${user}:localhost`);
            } finally {
                listener.close().closeAllConnections();
            }
        });
    }

    test("an application with a scheme of its own", async () => {
        const redirect = "com.example.app:/callback";
        const { app, url } = await begin({ metadata: native, redirect, mode: "query" });
        const at = await visit(url, async (window) => {
            const answer = window.waitForResponse((response) => response.status() === 303);
            await signIn(window, user);
            return new URL((await (await answer).allHeaders()).location); // the phone hands it to the application
        });
        assert.equal(at.protocol, "com.example.app:");
        assert.equal((await whoami((await app.finish(at)).access)).user_id, `@${user}:localhost`);
    });

    test("a device that has no browser", async () => {
        const app = await App.register(server.front.url, television);
        const asked = await app.ask();
        const waiting = app.wait(asked);
        waiting.catch(() => {}); // until it is looked at
        await visit(asked.verification_uri, async (window) => {
            await signIn(window, user);
            await fill(window, { Code: asked.user_code }, "Continue");
            await fill(window, {}, "Allow");
            await window.getByRole("status").waitFor();
        });
        const pair = await waiting;
        assert.equal((await whoami(pair.access)).device_id, app.device);
        assert.equal((await whoami((await app.refresh(pair.refresh)).access)).status, 200);
    });

    return { ...stage, session, signIn: (window) => signIn(window, user) };
}
