// One-time codes and recovery codes in Debian's Chromium: at both widths, in both schemes and both languages, with the keyboard alone and
// without a script.
import assert from "node:assert/strict";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";
import { codeOf } from "./totp.js";

const { server, visit } = signing();
const account = () => `${server.url}/account`;
const signIn = (page, user) => fill(page, { "User name": user, Password: password }, "Sign in");

for (const [size, scheme, locale] of [["phone", "dark", "de-DE"], ["desktop", "light", "en-GB"]]) {
    test(`${size}, ${scheme}, ${locale}: one-time codes, accessible, and no wider than the window`, async () => {
        const user = await server.addUser();
        const say = (english, german) => (locale === "de-DE" ? german : english);
        const button = (page, english, german) => page.getByRole("button", { name: say(english, german), exact: true });
        await visit({ size, scheme, locale, scripts: true }, account(), async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await page.getByRole("heading", { name: say("One-time codes", "Einmalcodes"), exact: true }).waitFor();
            await check("account");
            await button(page, "Set up one-time codes", "Einmalcodes einrichten").click();
            const secret = await page.locator("main code").first().innerText();
            await check("the picture for the app");
            const field = page.getByLabel(say("One-time code", "Einmalcode"), { exact: true });
            await field.fill("000000");
            await button(page, "Save", "Speichern").click();
            await page.getByRole("alert").waitFor();
            await check("a wrong first code");
            await field.fill(codeOf(secret));
            await button(page, "Save", "Speichern").click();
            const codes = await page.locator("main li code").allInnerTexts();
            assert.equal(codes.length, 10);
            await check("recovery codes");
            await page.getByRole("link", { name: say("I have kept the codes", "Ich habe die Codes aufbewahrt") }).click();
            await check("account with codes");
            await button(page, "Make new recovery codes", "Neue Wiederherstellungscodes erstellen").click();
            await check("what new recovery codes do");
            await page.getByRole("link", { name: say("Cancel", "Abbrechen") }).click();
            await button(page, "Sign out", "Abmelden").click();
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await check("the second step");
            await page.getByRole("link", { name: say("Sign in as somebody else", "Mit einem anderen Konto anmelden") }).click();
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await field.fill("000000");
            await button(page, "Sign in", "Anmelden").click();
            await page.getByRole("alert").waitFor();
            await check("a wrong code");
            await field.fill(codes[0]);
            await button(page, "Sign in", "Anmelden").click();
            await page.getByText(say("Recovery codes left: 9.", "Übrige Wiederherstellungscodes: 9.")).waitFor();
        });
    });
}

test("one-time codes with the keyboard alone and without a script", async () => {
    const user = await server.addUser();
    await visit({}, account(), async (page) => {
        await signIn(page, user);
        await tabTo(page, page.getByRole("button", { name: "Set up one-time codes" }));
        await page.keyboard.press("Enter");
        const secret = await page.locator("main code").first().innerText();
        await page.locator("#code:focus").waitFor();
        await page.keyboard.type(codeOf(secret));
        await page.keyboard.press("Enter");
        await tabTo(page, page.getByRole("link", { name: "I have kept the codes" }));
        await page.keyboard.press("Enter");
        for (const asks of ["Each works once in place", "your recovery codes go too"]) {
            await page.getByText(asks).waitFor();
            await tabTo(page, page.getByRole("button", { name: "Remove one-time codes" }));
            await page.keyboard.press("Enter");
        }
        await page.getByRole("heading", { name: "One-time codes are removed" }).waitFor();
    });
});
