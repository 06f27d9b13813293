// An application and a browser at the pages of the OAuth 2.0 API.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before } from "node:test";

import { oauthServerFor } from "../clients/js/server.js";
import { harmless, launch, sizes } from "./page.js";

/** A server, an application on an origin of its own and a browser for a whole test file. */
export function signing(...flags) {
    const server = oauthServerFor(...flags);
    let app, browser;
    before(async () => {
        app = createServer((request, answer) => answer.setHeader("content-type", "text/plain").end("the application"));
        await once(app.listen(0, "127.0.0.1"), "listening");
        browser = await launch();
    });
    after(async () => {
        await browser?.close();
        app?.close();
    });
    const home = () => `http://127.0.0.1:${app.address().port}/`;
    return {
        server,
        home,
        browser: () => browser,

        /** Registers an application and gives where it sends the person. */
        async application(more = {}, client = { client_name: "App", client_uri: home(), redirect_uris: [`${home()}cb`], tos_uri: home() }) {
            const headers = { "content-type": "application/json" };
            const answer = await fetch(`${server.url}/oauth2/registration`, { method: "POST", headers, body: JSON.stringify(client) });
            const { client_id } = await answer.json();
            const verifier = randomBytes(40).toString("base64url");
            const request = {
                response_type: "code",
                client_id,
                redirect_uri: client.redirect_uris[0],
                state: "a b",
                scope: `urn:matrix:client:api:* urn:matrix:client:device:${randomBytes(6).toString("hex")}`,
                code_challenge: createHash("sha256").update(verifier).digest("base64url"),
                code_challenge_method: "S256",
                ...more,
            };
            return { client_id, verifier, request, url: `${server.url}/oauth2/authorize?${new URLSearchParams(request)}` };
        },

        /** Opens a page, without scripts unless they are asked for, and holds it to its own policy. */
        async visit({ size = "desktop", scheme = "light", locale = "en-GB", scripts = false }, url, f) {
            const context = await browser.newContext({
                viewport: sizes[size],
                colorScheme: scheme,
                locale,
                javaScriptEnabled: scripts,
            });
            try {
                const page = await context.newPage();
                const wrong = [];
                page.on("console", (message) => {
                    if (!harmless.test(message.text())) wrong.push(message.text());
                });
                await page.goto(url);
                await f(page);
                assert.deepEqual(wrong, []);
            } finally {
                await context.close();
            }
        },
    };
}
