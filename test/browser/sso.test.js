// Clients without OAuth 2.0: matrix-js-sdk's and matrix-nio's login by the server's page and a login token.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { createClient } from "../clients/js/sdk43.js";
import { password } from "../clients/js/server.js";
import { signing } from "./signin.js";

const { server, home, browser } = signing("--registration", "open");

/** What the page of an action asks for, and gives the login token that the browser brings back. */
async function token(action, act, context) {
    const client = createClient({ baseUrl: server.url });
    const { flows } = await client.loginFlows();
    const sso = flows.find(({ type }) => type === "m.login.sso");
    assert.equal(sso.oauth_aware_preferred, true);
    assert.ok(flows.some(({ type }) => type === "m.login.token"));
    const window = await context.newPage();
    await window.goto(client.getSsoLoginUrl(`${home()}sso?tab=1`, "sso", undefined, action));
    await act(window);
    await window.waitForURL(`${home()}sso?**`);
    const came = new URL(window.url()).searchParams;
    assert.equal(came.get("tab"), "1");
    return came.get("loginToken");
}

const send = (user, button) => async (window) => {
    await window.getByLabel("User name").fill(user);
    await window.getByLabel("Password").fill(password);
    await window.getByRole("button", { name: button }).click();
};

/** matrix-nio, in a process of its own, which prints who it is. */
const nio = `
import asyncio, sys
from nio import AsyncClient

async def main(url, token):
    client = AsyncClient(url)
    answer = await client.login(token=token)
    assert (await client.whoami()).user_id == answer.user_id, answer
    print(answer.user_id)
    await client.close()

asyncio.run(main(*sys.argv[1:]))
`;

test("matrix-js-sdk signs in, and matrix-nio in the same browser without a password", async () => {
    const user = await server.addUser();
    const context = await browser().newContext({ locale: "en-GB" });
    try {
        const first = await token("login", send(user, "Sign in"), context);
        const login = await createClient({ baseUrl: server.url }).loginRequest({ type: "m.login.token", token: first });
        assert.equal(login.user_id, `@${user}:localhost`);
        const client = createClient({ baseUrl: server.url, accessToken: login.access_token });
        assert.equal((await client.whoami()).device_id, login.device_id);

        const allow = (window) => window.getByRole("button", { name: "Allow" }).click();
        const second = await token("login", allow, context);
        const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", nio, server.url, second]);
        assert.equal(stdout.trim(), `@${user}:localhost`);
    } finally {
        await context.close();
    }
});

test("matrix-js-sdk leads to the page for a new account", async () => {
    const user = server.newName();
    const context = await browser().newContext({ locale: "en-GB" });
    try {
        const got = await token("register", send(user, "Create account"), context);
        const login = await createClient({ baseUrl: server.url }).loginRequest({ type: "m.login.token", token: got });
        assert.equal(login.user_id, `@${user}:localhost`);
    } finally {
        await context.close();
    }
});
