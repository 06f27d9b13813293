// What asks an account with a second factor for a proof, as Element Web has it: matrix-js-sdk finds the stage m.login.sso, the
// application opens its page in a window of its own, and hears from it when it is done.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, InteractiveAuth } from "../clients/js/sdk43.js";
import { password } from "../clients/js/server.js";
import { accessible, fits, schemes, sizes, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";
import { codeOf } from "./totp.js";

const { server, home, browser, visit } = signing();
const account = () => `${server.url}/account`;

/** An account with three devices and one-time codes, and the client that one of the devices has. */
async function secured() {
    const user = await server.addUser();
    const logIn = (device_id) =>
        createClient({ baseUrl: server.url }).loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
            device_id,
            initial_device_display_name: `${user}'s ${device_id.toLowerCase()}`,
        });
    await logIn("PHONE");
    const { access_token: accessToken, user_id: userId } = await logIn("LAPTOP");
    const client = createClient({ baseUrl: server.url, accessToken, userId });
    let codes;
    await visit({}, account(), async (page) => {
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await page.getByRole("button", { name: "Set up one-time codes" }).click();
        const secret = await page.locator("main code").first().innerText();
        await fill(page, { "One-time code": codeOf(secret) }, "Save");
        codes = await page.locator("main li code").allInnerTexts();
    });
    return { user, client, codes };
}

/** Begins to delete a device, and gives the address of the stage's page as the sdk has it, and how it ends. */
async function deleting({ client }, device = "PHONE") {
    let began;
    const begun = new Promise((resolve) => (began = resolve));
    const asked = [];
    const auth = new InteractiveAuth({
        matrixClient: client,
        doRequest: (data) => client.deleteDevice(device, data ?? undefined),
        stateUpdated(stage, { errcode }) {
            asked.push(errcode ? `${stage} ${errcode}` : stage);
            began(client.getFallbackAuthUrl(stage, auth.getSessionId()));
        },
        requestEmailToken: () => assert.fail("nobody has an email address"),
    });
    const done = auth.attemptAuth();
    done.catch(() => {});
    return { url: await begun, auth, asked, done };
}

/** Signs in by both, in the window of the stage, whatever its language. */
async function signIn(window, user, code) {
    assert.equal(await window.locator("#user").inputValue(), `@${user}:localhost`);
    await window.locator("#password").fill(password);
    await window.locator("button[value='sign in']").click();
    await window.locator("#code").fill(code);
    await window.locator("button[value='second']").click();
}

test("an application opens the page, its user agrees, and it goes on by itself", async () => {
    const who = await secured();
    const { url, auth, asked, done } = await deleting(who);
    assert.deepEqual(asked, ["m.login.sso"]);
    const context = await browser().newContext({ locale: "en-GB" });
    try {
        const app = await context.newPage();
        await app.goto(home());
        const heard = app.evaluate(
            () => new Promise((resolve) => addEventListener("message", ({ data, origin }) => resolve({ data, origin }), { once: true })),
        );
        const [window] = await Promise.all([context.waitForEvent("page"), app.evaluate((url) => void open(url), url)]);
        await signIn(window, who.user, who.codes[0]);
        await window.getByText("A device is signed out and removed.").waitFor();
        await window.getByText(`${who.user}'s phone`).waitFor();
        await auth.submitAuthDict({}); // too early
        assert.deepEqual(asked, ["m.login.sso", "m.login.sso"]);
        await window.getByRole("button", { name: "Continue" }).click();
        assert.deepEqual(await heard, { data: "authDone", origin: server.url });
        await window.getByText("That is done.").waitFor();
        await auth.submitAuthDict({});
        await done;
        const { devices } = await who.client.getDevices();
        assert.deepEqual(devices.map(({ device_id }) => device_id), ["LAPTOP"]);
    } finally {
        await context.close();
    }
});

for (const size of Object.keys(sizes)) {
    for (const scheme of schemes) {
        test(`${size}, ${scheme}: the page fits in both languages, and axe finds nothing`, async () => {
            const who = await secured();
            const { url } = await deleting(who);
            for (const [locale, says] of [["en-GB", "A device is signed out"], ["de-DE", "Ein Gerät wird abgemeldet"]]) {
                await visit({ size, scheme, locale, scripts: true }, url, async (page) => {
                    await signIn(page, who.user, who.codes.pop());
                    await page.getByText(says).waitFor();
                    await page.getByText("LAPTOP", { exact: true }).waitFor();
                    await fits(page, `${size} ${locale}`);
                    await accessible(page, `${size} ${locale}`);
                });
            }
        });
    }
}

test("by keyboard alone, and without a script", async () => {
    const who = await secured();
    const { url, auth, done } = await deleting(who);
    await visit({}, url, async (page) => {
        await page.locator("#password:focus").waitFor();
        await page.keyboard.type(password);
        await page.keyboard.press("Enter");
        await page.locator("#code:focus").waitFor();
        await page.keyboard.type(who.codes[0]);
        await page.keyboard.press("Enter");
        await page.getByText("LAPTOP", { exact: true }).waitFor();
        await tabTo(page, page.getByRole("button", { name: "Continue" }));
        await page.keyboard.press("Enter");
        await page.getByText("That is done.").waitFor();
    });
    await auth.submitAuthDict({});
    await done;
});
