// Tokens for bots on the account page in Debian's Chromium: at both widths, in both schemes and both languages, with the
// keyboard alone and without a script.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";

const { server, visit } = signing();
const account = () => `${server.url}/account`;
const signIn = (page, user) => fill(page, { "User name": user, Password: password }, "Sign in");

/** What a token gets for a request. */
const status = async (token, method, path) =>
    (await fetch(server.url + path, { method, headers: { authorization: `Bearer ${token}` } })).status;
const whoami = "/_matrix/client/v3/account/whoami";

for (const [size, scheme, locale] of [["phone", "dark", "de-DE"], ["desktop", "light", "en-GB"]]) {
    test(`${size}, ${scheme}, ${locale}: a token, accessible, and no wider than the window`, async () => {
        const user = await server.addUser();
        const say = (english, german) => (locale === "de-DE" ? german : english);
        const press = (page, english, german) => page.getByRole("button", { name: say(english, german), exact: true }).click();
        const field = (page, english, german) => page.getByLabel(say(english, german), { exact: true });
        await visit({ size, scheme, locale, scripts: true }, account(), async (page) => {
            let shots = 0;
            const check = async (when) => {
                if (process.env.SHOTS) {
                    mkdirSync(process.env.SHOTS, { recursive: true });
                    const name = `${size}-${shots++}-${when.replaceAll(" ", "-")}.png`;
                    await page.screenshot({ path: join(process.env.SHOTS, name), fullPage: true });
                }
                await accessible(page, when);
                await fits(page, when);
            };
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await page.getByRole("heading", { name: say("Tokens for bots", "Token für Bots"), exact: true }).waitFor();
            await press(page, "Create a token", "Token erstellen");
            await check("the form");
            await field(page, "Name", "Name").fill("x".repeat(100));
            await page.getByLabel(say("What I write myself", "Was ich selbst schreibe")).check();
            await field(page, "Restrictions, one a line", "Einschränkungen, eine je Zeile").fill("method in GET\nroom = x");
            await press(page, "Preview", "Vorschau");
            await page.locator("[role=alert]:focus").waitFor();
            await check("a line that is no restriction");
            await page.getByLabel(say("May only send to one room", "Darf nur in einen Raum senden")).check();
            await field(page, "Room id", "Raum-ID").fill(`!${"r".repeat(40)}:example.org`);
            await press(page, "Preview", "Vorschau");
            await page.getByRole("heading", { name: say("What the token opens", "Was das Token öffnet") }).waitFor();
            await check("the preview");
            await press(page, "Create a token", "Token erstellen");
            const token = await field(page, "Token", "Token").inputValue();
            await check("the token");
            assert.equal(await status(token, "GET", whoami), 403);
            await page.getByRole("link", { name: say("I have copied it", "Ich habe es kopiert") }).click();
            await check("the account");
            await press(page, "End this token", "Dieses Token beenden");
            await page.getByRole("heading", { name: say("The token is ended", "Das Token ist beendet") }).waitFor();
            await check("the end");
            assert.equal(await status(token, "GET", whoami), 401);
        });
    });
}

test("a token with the keyboard alone and without a script", async () => {
    const user = await server.addUser();
    await visit({}, account(), async (page) => {
        await signIn(page, user);
        await tabTo(page, page.getByRole("button", { name: "Create a token", exact: true }));
        await page.keyboard.press("Enter");
        await page.locator("#name:focus").waitFor();
        await page.keyboard.type("Door bell");
        await tabTo(page, page.getByLabel("May only read"));
        await tabTo(page, page.getByRole("button", { name: "Preview" }));
        await page.keyboard.press("Enter");
        await page.locator("#preview:focus").waitFor();
        await page.getByText("Read new messages").waitFor();
        await tabTo(page, page.getByRole("button", { name: "Create a token", exact: true }));
        await page.keyboard.press("Enter");
        const token = await page.getByLabel("Token", { exact: true }).inputValue();
        assert.equal(await status(token, "GET", whoami), 200);
        assert.equal(await status(token, "POST", "/_matrix/client/v3/logout"), 403);
        await tabTo(page, page.getByRole("link", { name: "I have copied it" }));
        await page.keyboard.press("Enter");
        await page.locator(".cards").getByText("Door bell").waitFor();
    });
});
