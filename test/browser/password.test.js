// The password on the account page in Debian's Chromium: at both widths, in both schemes and both languages, with the keyboard alone and
// without a script.
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";

const { server, visit } = signing();
const account = () => `${server.url}/account`;
const another = "a whale in deep water";

const texts = {
    "en-GB": {
        user: "User name", secret: "Password", signIn: "Sign in", heading: "Password", current: "Current password", wanted: "New password",
        box: "Sign out all devices", save: "Save", easy: "easy to guess", wrong: "The current password is wrong.",
        done: "Your password is changed", back: "Your account",
    },
    "de-DE": {
        user: "Benutzername", secret: "Passwort", signIn: "Anmelden", heading: "Passwort", current: "Aktuelles Passwort",
        wanted: "Neues Passwort", box: "Alle Geräte abmelden", save: "Speichern", easy: "leicht zu erraten",
        wrong: "Das aktuelle Passwort ist falsch.", done: "Ihr Passwort ist geändert", back: "Ihr Konto",
    },
};

for (const [size, scheme, locale] of [["phone", "dark", "de-DE"], ["desktop", "light", "en-GB"]]) {
    test(`${size}, ${scheme}, ${locale}: the password is changed, accessible, and no wider than the window`, async () => {
        const user = await server.addUser();
        const say = texts[locale];
        await visit({ size, scheme, locale, scripts: true }, account(), async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await fill(page, { [say.user]: user, [say.secret]: password }, say.signIn);
            await page.getByRole("heading", { name: say.heading, exact: true }).waitFor();
            await check("account");
            await fill(page, { [say.current]: password, [say.wanted]: `${user}1984` }, say.save);
            await page.getByRole("alert").filter({ hasText: say.easy }).waitFor();
            await check("easy to guess");
            await page.getByRole("checkbox", { name: say.box, exact: true, checked: true }).uncheck();
            await fill(page, { [say.current]: "wrong", [say.wanted]: another }, say.save);
            await page.getByRole("alert").filter({ hasText: say.wrong }).waitFor();
            await page.getByRole("checkbox", { name: say.box, exact: true, checked: false }).waitFor();
            await check("wrong");
            await fill(page, { [say.current]: password, [say.wanted]: another }, say.save);
            await page.getByRole("heading", { name: say.done }).waitFor();
            await check("changed");
            await page.getByRole("link", { name: say.back, exact: true }).click();
            await page.getByRole("heading", { name: say.heading, exact: true }).waitFor();
        });
        await visit({ size, scheme, locale }, account(), async (page) => {
            await fill(page, { [say.user]: user, [say.secret]: another }, say.signIn);
            await page.getByRole("heading", { name: say.heading, exact: true }).waitFor();
        });
    });
}

test("with the keyboard alone and without a script", async () => {
    const user = await server.addUser();
    await visit({}, account(), async (page) => {
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await tabTo(page, page.getByLabel("Current password"));
        await page.keyboard.type(password);
        await page.keyboard.press("Tab");
        await page.keyboard.type(another);
        await page.keyboard.press("Tab");
        await page.keyboard.press("Space"); // the box
        await page.keyboard.press("Enter");
        await page.getByText("Your devices stay signed in.").waitFor();
    });
});
