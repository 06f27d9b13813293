// matrix-js-sdk 43: the classes with which Element Web signs people in today.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, OAuth2 } from "../clients/js/sdk43.js";
import { arrived, callback, fill, prove, web } from "./proof.js";

class App {
    static async register(baseUrl, metadata, deviceId) {
        const app = new App();
        const server = await createClient({ baseUrl }).getAuthMetadata();
        app.oauth = new OAuth2(server, { clientId: await OAuth2.registerClient(server, metadata), deviceId });
        app.device = app.oauth.context.deviceId;
        return app;
    }

    begin({ redirect, mode, prompt }) {
        this.redirect = redirect;
        return this.oauth.generateAuthorizationCodeGrantUrl("state:with:colons", redirect, mode, prompt);
    }

    /** The sdk leaves it to the application to read the answer. */
    async finish(at) {
        const answer = new URLSearchParams(at.hash.slice(1) || at.search);
        if (answer.has("error")) throw Object.fromEntries(answer);
        return pairOf(await this.oauth.completeAuthorizationCodeGrant(answer.get("code"), this.redirect));
    }

    refresh = async (token) => pairOf(await this.oauth.performRefreshTokenGrant(token));
    revoke = (token, hint) => this.oauth.revokeToken(token, hint);
    ask = () => this.oauth.startDeviceAuthorizationGrant();
    wait = async (asked) => pairOf(await this.oauth.waitForDeviceAuthorizationGrant(asked));
    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

const { server, browser, visit, signIn, whoami } = prove(App);

test("the same browser again: no password; the same device again: no page, unless the application wants one", async () => {
    const context = await browser().newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    let device;
    const again = async (prompt, act) => {
        const app = await App.register(server.front.url, web, device);
        const url = await app.begin({ redirect: callback, mode: "fragment", prompt });
        const come = async (window) => {
            await act(window);
            return arrived(window);
        };
        const { access } = await app.finish(await visit(url, come, context));
        assert.equal((await whoami(access)).device_id, app.device);
        device = app.device;
    };
    const allow = async (window) => {
        await window.getByText("You are signed in as").waitFor();
        assert.equal(await window.getByLabel("Password").count(), 0);
        await fill(window, {}, "Allow");
    };
    try {
        await again(undefined, signIn);
        device = undefined;
        await again(undefined, allow);
        await again(undefined, () => {});
        await again("consent", allow);
        await again(undefined, () => {});
    } finally {
        await context.close();
    }
});
