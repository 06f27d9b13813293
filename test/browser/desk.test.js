// The operator's desk, in Debian's Chromium: at both widths, in both schemes and both languages, with the keyboard alone and
// without a script.
import assert from "node:assert/strict";
import { test } from "node:test";

import { password } from "../clients/js/server.js";
import { accessible, fits, tabTo } from "./page.js";
import { fill } from "./proof.js";
import { signing } from "./signin.js";

const { server, visit } = signing("--registration", "approval");
const desk = (action = "", more = {}) => `${server.url}/account/admin?${new URLSearchParams({ ...(action && { action }), ...more })}`;
const long = "donaudampfschifffahrtsgesellschaftskapitaenswitwe".repeat(4);

/** Asks for an account, as a client does; it waits for an operator. */
async function signUp(username) {
    const begin = await post("register", { username, password });
    const { session } = await begin.json();
    await post("register", { username, password, auth: { type: "m.login.dummy", session } });
}

const post = (path, body) =>
    fetch(`${server.url}/_matrix/client/v3/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)" },
        body: JSON.stringify(body),
    });

const login = async (user, device_id, initial_device_display_name) =>
    (await (await post("login", { type: "m.login.password", user, password, device_id, initial_device_display_name })).json()).access_token;

/** An account that is an administrator. */
async function operator() {
    const name = await server.addUser();
    await server.command(["user", "admin", name, "on"]);
    return name;
}

/** Somebody of whom there is much to see. */
let person;
async function seen() {
    person ??= (async () => {
        await server.command(["user", "add", long, "--password-stdin"], password);
        await login(long, "PHONE", "Phone");
        await login(long, "LONG", "Gerätebezeichnung".repeat(8));
        await server.invite("--uses", "5");
        return long;
    })();
    return person;
}

for (const [size, scheme, locale] of [
    ["phone", "dark", "de-DE"],
    ["phone", "light", "en-GB"],
    ["desktop", "light", "de-DE"],
    ["desktop", "dark", "en-GB"],
]) {
    test(`${size}, ${scheme}, ${locale}: every page is accessible, and no wider than the window`, async () => {
        const [admin, person] = [await operator(), await seen()];
        await signUp(`waits-${admin}`);
        const say = (english, german) => (locale === "de-DE" ? german : english);
        const button = (page, ...names) => page.getByRole("button", { name: say(...names), exact: true });
        await visit({ size, scheme, locale, scripts: true }, desk(), async (page) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await fill(page, { [say("User name", "Benutzername")]: admin, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await page.getByRole("heading", { name: say("The operator's desk", "Verwaltung"), exact: true }).waitFor();
            await check("overview");
            await page.locator("summary").first().click();
            await page.getByRole("row").first().waitFor();
            await check("overview with a table");
            for (const [link, heading] of [
                [say("People", "Personen")],
                [say("Invitations", "Einladungen")],
                [say("Events", "Ereignisse")],
                [say("Queues", "Warteschlangen")],
                [say("Sign-ups", "Anträge")],
            ].map(([name]) => [page.getByRole("navigation").getByRole("link", { name }), name])) {
                await link.first().click();
                await page.getByRole("heading", { name: heading, exact: true, level: 1 }).waitFor();
                await check(heading);
            }
            await page.getByRole("checkbox", { name: `waits-${admin}` }).check();
            await button(page, "Approve", "Freigeben").click();
            await page.getByRole("status").waitFor();
            await check("approved");
            await page.goto(desk("signups"));
            if (await button(page, "Approve", "Freigeben").count()) {
                await button(page, "Approve", "Freigeben").click(); // of nobody
                await page.getByRole("alert").waitFor();
                await check("nobody is chosen");
            }
            await page.goto(desk("invitations"));
            await button(page, "Make an invitation", "Einladung erstellen").click();
            await page.locator(".notice code").waitFor();
            await check("an invitation that was made");
            await page.goto(desk("people", { q: "donau" }));
            await page.getByRole("link", { name: /^@donau/ }).first().click();
            await page.getByText("Gerätebezeichnung").first().waitFor();
            await check("a person");
            await button(page, "Lock", "Sperren").click();
            await page.getByRole("heading", { name: say("Lock", "Sperren"), exact: true }).waitFor();
            await check("what a lock comes to");
            await page.goto(desk("new"));
            await page.getByRole("heading", { name: say("Add an account", "Konto anlegen"), exact: true }).waitFor();
            await check("a new account");
            await page.goto(desk("events", { name: person }));
            await check("somebody's events");
        });
    });
}

test("find, lock, unlock and make an administrator with the keyboard alone and without a script", async () => {
    const [admin, whom] = [await operator(), await server.addUser()];
    const token = await login(whom, "PHONE", "Phone");
    const whoami = async () =>
        (await fetch(`${server.url}/_matrix/client/v3/account/whoami`, { headers: { authorization: `Bearer ${token}` } })).json();
    await visit({}, `${server.url}/account`, async (page) => {
        const press = async (role, name) => {
            await tabTo(page, page.getByRole(role, { name, exact: true }));
            await page.keyboard.press("Enter");
        };
        await fill(page, { "User name": admin, Password: password }, "Sign in");
        await press("link", "Go to the operator's desk");
        await page.getByRole("heading", { name: "The operator's desk" }).waitFor();
        await press("link", "People");
        await page.getByRole("heading", { name: "People" }).waitFor();
        await tabTo(page, page.getByLabel("Part of the name"));
        await page.keyboard.type(whom);
        await page.keyboard.press("Enter");
        await page.waitForURL(/q=/);
        await press("link", `@${whom}:localhost`);
        await page.getByRole("heading", { name: "Account", exact: true }).waitFor();
        for (const [name, said, errcode] of [
            ["Lock", "The account is locked.", "M_USER_LOCKED"],
            ["Unlock", "The account is unlocked.", undefined],
        ]) {
            await press("button", name);
            if (name === "Lock") {
                await page.getByRole("heading", { name, exact: true }).waitFor();
                await press("button", name);
            }
            await page.getByText(said).waitFor();
            assert.equal((await whoami()).errcode, errcode);
        }
        await press("button", "Make an administrator");
        await page.getByRole("heading", { name: "Make an administrator" }).waitFor();
        await press("button", "Make an administrator");
        await page.getByText("The account is an administrator.").waitFor();
        assert.equal((await server.rows("user", "list")).find(({ USER }) => USER === `@${whom}:localhost`)?.ADMIN, "yes");
    });
});

test("somebody who is no administrator finds no desk, and no way to it", async () => {
    const user = await server.addUser();
    await visit({}, `${server.url}/account`, async (page) => {
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await page.getByRole("heading", { name: "Devices" }).waitFor();
        assert.equal(await page.getByRole("link", { name: /desk/ }).count(), 0);
        const answer = await page.request.get(desk());
        assert.equal(answer.status(), 404);
        assert.match(await answer.text(), /There is no such page\./);
    });
});
