// Devices, signed-in browsers and events on the account page, in Debian's Chromium: at both widths, in both schemes and both
// languages, with the keyboard alone and without a script.
import assert from "node:assert/strict";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";

const { server, visit } = signing();
const account = () => `${server.url}/account`;
const iPhone = "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)";

/** Logs a device in by the legacy API, as a client with an agent of its own. */
async function login(user, device_id, agent, initial_device_display_name) {
    const body = JSON.stringify({ type: "m.login.password", user, password, device_id, initial_device_display_name });
    const headers = { "content-type": "application/json", "user-agent": agent };
    const answer = await fetch(`${server.url}/_matrix/client/v3/login`, { method: "POST", headers, body });
    assert.equal(answer.status, 200);
    return (await answer.json()).access_token;
}

const status = async (token) =>
    (await fetch(`${server.url}/_matrix/client/v3/account/whoami`, { headers: { authorization: `Bearer ${token}` } })).status;

for (const [size, scheme, locale] of [["phone", "dark", "de-DE"], ["phone", "light", "en-GB"], ["desktop", "light", "de-DE"], ["desktop", "dark", "en-GB"]]) {
    test(`${size}, ${scheme}, ${locale}: devices and events, accessible, and no wider than the window`, async () => {
        const user = await server.addUser();
        const german = locale === "de-DE";
        const say = (english, other) => (german ? other : english);
        const button = (page, ...names) => page.getByRole("button", { name: say(...names), exact: true });
        await login(user, "FIRST", "nio");
        await login(user, "LONG", iPhone, "Donaudampfschifffahrtsgesellschaftskapitän".repeat(4));
        await visit({ size, scheme, locale, scripts: true }, account(), async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            for (const heading of [say("Devices", "Geräte"), say("Signed-in browsers", "Angemeldete Browser"), say("Events", "Ereignisse")])
                await page.getByRole("heading", { name: heading, exact: true }).waitFor();
            await check("account with a notice");
            await button(page, "That was me", "Das war ich").click();
            await page.getByRole("heading", { name: say("Devices", "Geräte") }).waitFor();
            assert.equal(await button(page, "That was me", "Das war ich").count(), 0);
            await page.getByRole("listitem").filter({ hasText: "Donaudampf" }).getByRole("button").first().click();
            await page.getByRole("heading", { name: say("Device", "Gerät"), exact: true }).waitFor();
            assert.ok(await page.getByText("Donaudampf").first().isVisible());
            await check("a device");
            await page.getByLabel("Name", { exact: true }).fill("x".repeat(101));
            await button(page, "Save", "Speichern").click();
            await page.getByRole("alert").waitFor();
            await check("a name that is too long");
            await page.getByLabel("Name", { exact: true }).fill("My phone");
            await button(page, "Save", "Speichern").click();
            await page.getByRole("status").waitFor();
            await check("a device with a new name");
            await button(page, "Sign out this device", "Dieses Gerät abmelden").click();
            await page.getByRole("status").waitFor();
            await page.goto(account());
            await button(page, "Sign out all others", "Alle anderen abmelden").click();
            await check("what ends");
            await page.goto(`${account()}?action=events`);
            await check("events");
        });
    });
}

test("rename a device and sign out all others with the keyboard alone and without a script", async () => {
    const user = await server.addUser();
    const token = await login(user, "PHONE", iPhone, "Phone");
    await visit({}, account(), async (other) => {
        await fill(other, { "User name": user, Password: password }, "Sign in");
        await visit({}, account(), async (page) => {
            await fill(page, { "User name": user, Password: password }, "Sign in");
            await tabTo(page, page.getByRole("link", { name: "Phone", exact: true }));
            await page.keyboard.press("Enter");
            await tabTo(page, page.getByLabel("Name", { exact: true }));
            await page.keyboard.press("Control+a");
            await page.keyboard.type("Mine");
            await page.keyboard.press("Enter");
            await page.getByText("Saved.").waitFor();
            await tabTo(page, page.getByRole("link", { name: "Your account" }));
            await page.keyboard.press("Enter");
            await page.getByRole("link", { name: "Mine", exact: true }).waitFor();
            await tabTo(page, page.getByRole("button", { name: "Sign out all others" }));
            await page.keyboard.press("Enter");
            await page.getByRole("heading", { name: "Sign out all others" }).waitFor();
            await tabTo(page, page.getByRole("button", { name: "Sign out all others" }));
            await page.keyboard.press("Enter");
            await page.getByRole("heading", { name: "All others are signed out" }).waitFor();
            assert.equal(await status(token), 401);
        });
        await other.reload();
        await other.getByLabel("User name").waitFor();
    });
});
