// The pages of the OAuth 2.0 API in Debian's Chromium: at both widths, in both schemes, with the keyboard alone, without a
// script, and with an application on an origin of its own behind them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";

const { server, home, browser, application, visit } = signing("--registration", "token", "--terms-url", "https://example.org/terms");

/** Redeems the code that the browser has brought to the application, and gives who it is. */
async function arrived(page, { client_id, verifier }) {
    await page.waitForURL(`${home()}cb?**`);
    const answer = new URL(page.url()).searchParams;
    assert.equal(answer.get("state"), "a b");
    const body = new URLSearchParams({
        grant_type: "authorization_code",
        client_id,
        code: answer.get("code"),
        code_verifier: verifier,
        redirect_uri: `${home()}cb`,
    });
    const pair = await (await fetch(`${server.url}/oauth2/token`, { method: "POST", body })).json();
    const authorization = `Bearer ${pair.access_token}`;
    return (await (await fetch(`${server.url}/_matrix/client/v3/account/whoami`, { headers: { authorization } })).json()).user_id;
}

const signIn = (page, user) => fill(page, { "User name": user, Password: password }, "Sign in");

/** What a device without a browser is told. */
async function television() {
    const grant_types = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    const { request } = await application({}, { ...long(), grant_types });
    const answer = await fetch(`${server.url}/oauth2/device_authorization`, { method: "POST", body: new URLSearchParams(request) });
    return answer.json();
}

/** An application whose name is as long as one may be, and has no spaces where a line could end. */
const long = () => ({
    client_name: `Sehr langer Name: ${"Donaudampfschifffahrtsgesellschaftskapitän".repeat(3)}`,
    client_uri: home(),
    redirect_uris: [`${home()}cb`],
    tos_uri: home(),
    policy_uri: home(),
});

for (const [size, scheme] of [["phone", "light"], ["desktop", "dark"]]) {
    test(`${size}, ${scheme}: accessible, and no wider than the window`, async () => {
        const it = await application({}, long());
        const user = await server.addUser();
        await visit({ size, scheme, scripts: true }, it.url, async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await check("sign in");
            await page.getByLabel("User name").fill("nobody");
            await page.getByLabel("Password").fill("wrong");
            await page.getByRole("button", { name: "Sign in" }).click();
            await page.getByRole("alert").waitFor();
            await check("after a wrong password");
            await page.getByRole("link", { name: "I have no account yet" }).click();
            await page.getByRole("button", { name: "Create account" }).waitFor();
            await check("create account");
            await page.goto(`${server.url}/oauth2/authorize`);
            await check("a failure");
            await page.goto(it.url.replace("S256", "plain"));
            await check("a failure that the application may hear of");
            await page.goto(it.url);
            await signIn(page, user);
            await arrived(page, it);
            await page.goto((await application({}, long())).url);
            await page.getByRole("button", { name: "Allow" }).waitFor();
            await check("consent");
            await page.goto(`${server.url}/account`);
            await check("account");
            await page.getByRole("link", { name: "Sehr langer Name" }).click();
            await page.getByRole("heading", { name: "Device" }).waitFor();
            await check("a device");
            await page.getByRole("button", { name: "Sign out" }).click();
            await page.getByRole("status").waitFor();
            await check("a device that is signed out");
            await page.goto(`${server.url}/account?action=org.matrix.account_deactivate`);
            await check("deactivate");
            const { verification_uri, user_code } = await television();
            await page.goto(verification_uri);
            await check("a device's code");
            await fill(page, { Code: "BCDF-BCDF" }, "Continue");
            await page.getByRole("alert").waitFor();
            await check("a wrong code");
            await fill(page, { Code: user_code }, "Continue");
            await page.getByRole("button", { name: "Allow" }).waitFor();
            await check("consent to a device");
            await fill(page, {}, "Allow");
            await page.getByRole("status").waitFor();
            await check("a device that is let in");
            await page.goto(`${server.url}/_matrix/client/v3/login/sso/redirect?redirectUrl=${encodeURIComponent(home())}`);
            await page.getByRole("button", { name: "Allow" }).waitFor();
            await check("consent to a client without OAuth");
        });
    });
}

test("sign in with the keyboard alone and without a script", async () => {
    const it = await application();
    const user = await server.addUser();
    await visit({}, it.url, async (page) => {
        await page.locator("#user:focus").waitFor(); // the browser gives it with the first frame
        await page.keyboard.type(user);
        await page.keyboard.press("Tab");
        await page.keyboard.type(password);
        await page.keyboard.press("Enter");
        assert.match(await arrived(page, it), new RegExp(`^@${user}:`));
        const next = await application();
        await page.goto(next.url);
        await tabTo(page, page.getByRole("button", { name: "Allow" }));
        await page.keyboard.press("Enter");
        assert.match(await arrived(page, next), new RegExp(`^@${user}:`));
    });
});

test("create an account with an invitation", async () => {
    const it = await application({ prompt: "create" });
    const [user, token] = [server.newName(), await server.invite()];
    await visit({}, it.url, async (page) => {
        await page.getByLabel("User name").fill(user);
        await page.getByLabel("Password").fill(password);
        await page.getByLabel("Registration token").fill("wrong");
        await page.getByLabel("I agree").check();
        await page.getByRole("button", { name: "Create account" }).click();
        await page.getByRole("alert").filter({ hasText: "registration token" }).waitFor();
        assert.equal(await page.getByLabel("User name").inputValue(), user);
        await page.getByLabel("Password").fill(password);
        await page.getByLabel("Registration token").fill(token);
        await page.getByLabel("I agree").check();
        await page.getByRole("button", { name: "Create account" }).click();
        assert.match(await arrived(page, it), new RegExp(`^@${user}:`));
    });
});

test("cancel", async () => {
    const { url } = await application();
    await visit({}, url, async (page) => {
        await page.getByRole("button", { name: "Cancel" }).click();
        await page.waitForURL(`${home()}cb?**`);
        assert.equal(new URL(page.url()).searchParams.get("error"), "access_denied");
    });
});

test("in German", async () => {
    const { url } = await application();
    await visit({ locale: "de-AT" }, url, async (page) => {
        await page.getByRole("heading", { name: "Anmelden" }).waitFor();
        assert.equal(await page.locator("html").getAttribute("lang"), "de");
    });
});

test("no other page can frame it", async () => {
    const { url } = await application();
    const context = await browser().newContext();
    try {
        const page = await context.newPage();
        await page.goto(home());
        const refused = page.waitForEvent("console", (message) => /refused|violates/i.test(message.text()));
        await page.evaluate((src) => document.body.append(Object.assign(document.createElement("iframe"), { src })), url);
        await refused;
        assert.equal(await page.frames()[1].getByLabel("Password").count(), 0);
    } finally {
        await context.close();
    }
});
