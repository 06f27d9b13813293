// Mail addresses and a forgotten password, with a real mail server, in Debian's Chromium: at both widths, in both schemes and
// both languages, with the keyboard alone and without a script.
import assert from "node:assert/strict";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";
import { mailServer } from "./smtp.js";

const mail = await mailServer();
const { server, visit } = signing("--smtp-url", mail.url, "--mail-from", "matrix@example.org");
const account = () => `${server.url}/account`;
const other = "another horse, another battery";

for (const [size, scheme, locale] of [
    ["phone", "dark", "de-DE"],
    ["phone", "light", "en-GB"],
    ["desktop", "light", "de-DE"],
    ["desktop", "dark", "en-GB"],
]) {
    test(`${size}, ${scheme}, ${locale}: an address and a new password, accessible, and no wider than the window`, async () => {
        const user = await server.addUser();
        const address = `${"donaudampfschifffahrt".repeat(2)}.${user}@example.org`;
        const say = (english, german) => (locale === "de-DE" ? german : english);
        const headed = (page, ...names) => page.getByRole("heading", { name: say(...names), exact: true, level: 1 }).waitFor();
        const press = (page, ...names) => page.getByRole("button", { name: say(...names), exact: true }).first().click();
        const signIn = (page, secret) =>
            fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: secret }, say("Sign in", "Anmelden"));
        await visit({ size, scheme, locale, scripts: true }, account(), async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await check("to sign in");
            await signIn(page, password);
            await headed(page, "Your account", "Ihr Konto");
            await press(page, "Add a mail address", "Mailadresse hinzufügen");
            await headed(page, "Add a mail address", "Mailadresse hinzufügen");
            await check("a new address");
            await page.getByLabel(say("Mail address", "Mailadresse"), { exact: true }).fill("a..b@example.org");
            await press(page, "Send the link", "Link senden");
            await page.getByRole("alert").waitFor();
            await check("what is no address");
            await page.getByLabel(say("Mail address", "Mailadresse"), { exact: true }).fill(address);
            await press(page, "Send the link", "Link senden");
            await headed(page, "Check your mail", "Sehen Sie in Ihre Mails");
            await check("a link to an address is sent");
            await page.goto(await mail.link(address));
            await headed(page, "Mail address", "Mailadresse");
            await check("whose address it is");
            await press(page, "Add this address", "Diese Adresse hinzufügen");
            await headed(page, "The mail address is added", "Die Mailadresse ist hinzugefügt");
            await page.goto(account());
            await page.getByText(address).waitFor();
            await check("an account with an address");
            await page.getByRole("link", { name: address }).click();
            await headed(page, "Remove this address", "Diese Adresse entfernen");
            await check("an address to remove");
            await page.goto(account());
            await press(page, "Sign out", "Abmelden");
            await page.getByRole("link", { name: say("Forgotten your password?", "Passwort vergessen?") }).click();
            await headed(page, "Choose a new password", "Ein neues Passwort wählen");
            await check("a forgotten password");
            await fill(page, { [say("User name or mail address", "Benutzername oder Mailadresse")]: address }, say("Send the link", "Link senden"));
            await headed(page, "Check your mail", "Sehen Sie in Ihre Mails");
            await check("a link to choose is sent");
            const link = await mail.link(address);
            await page.goto(link);
            const choose = async (one, two) => {
                await page.getByLabel(say("New password", "Neues Passwort"), { exact: true }).fill(one);
                await page.getByLabel(say("New password, once more", "Neues Passwort, noch einmal"), { exact: true }).fill(two);
                await press(page, "Save", "Speichern");
            };
            await headed(page, "Choose a new password", "Ein neues Passwort wählen");
            await check("a new password");
            await choose(other, `${other}?`);
            await page.getByRole("alert").waitFor();
            await check("two that differ");
            await choose(other, other);
            await headed(page, "You have a new password", "Sie haben ein neues Passwort");
            await check("a password that was chosen");
            assert.equal((await page.goto(link)).status(), 410);
            await check("a link that is over");
            assert.match(await mail.take(address), /^Content-Language: (de|en)/m); // of the new password
            const asked = await fetch(`${server.url}/_matrix/client/v3/account/password/email/requestToken`, {
                method: "POST",
                body: JSON.stringify({ client_secret: "an-app", email: address, send_attempt: 1 }),
            });
            assert.equal(asked.status, 200);
            await page.goto(await mail.link(address));
            await headed(page, "Was this you?", "Waren Sie das?");
            await check("what an app asks for");
            await press(page, "Yes, that was me", "Ja, das war ich");
            await headed(page, "Confirmed", "Bestätigt");
            await check("what an app asked for is confirmed");
            await page.goto(account());
            await signIn(page, other);
            await headed(page, "Your account", "Ihr Konto");
        });
    });
}

test("an address and a new password with the keyboard alone and without a script", async () => {
    const user = await server.addUser();
    const address = `${user}@example.org`;
    await visit({}, account(), async (page) => {
        const press = async (role, name) => {
            await tabTo(page, page.getByRole(role, { name, exact: true }).first());
            await page.keyboard.press("Enter");
        };
        const type = async (label, text) => {
            const field = page.getByLabel(label, { exact: true });
            await field.waitFor();
            await tabTo(page, field);
            await page.keyboard.type(text);
        };
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await press("button", "Add a mail address");
        await page.getByRole("heading", { name: "Add a mail address", level: 1 }).waitFor();
        await page.keyboard.type(address); // the field has the focus
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "Check your mail" }).waitFor();
        await page.goto(await mail.link(address));
        await press("button", "Add this address");
        await page.getByRole("heading", { name: "The mail address is added" }).waitFor();
        await page.goto(account());
        await press("button", "Sign out");
        await page.getByLabel("User name").waitFor();
        await press("link", "Forgotten your password?");
        await page.getByRole("heading", { name: "Choose a new password" }).waitFor();
        await page.keyboard.type(user.toUpperCase());
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "Check your mail" }).waitFor();
        await page.goto(await mail.link(address));
        await page.getByRole("heading", { name: "Choose a new password" }).waitFor();
        await page.keyboard.type(other);
        await type("New password, once more", other);
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: "You have a new password" }).waitFor();
        await press("link", "Your account");
        await fill(page, { "User name": user, Password: other }, "Sign in");
        await page.getByRole("heading", { name: "Your account" }).waitFor();
    });
});
