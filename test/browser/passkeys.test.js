// Passkeys in Debian's Chromium, by the authenticator that it gives to tests: on http://localhost and behind TLS.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";

import { homeServerFor, password, secureServerFor } from "../clients/js/server.js";
import { accessible, fits, harmless, launch, sizes, tabTo } from "./page.js";
import { arrived, callback, fill, newDevice, page as app, scope, web } from "./proof.js";

const local = homeServerFor();
const secure = secureServerFor();
const sites = { "http://localhost": () => local.home, TLS: () => secure.front.url };

let browser;
before(async () => {
    // Chromium asks no passkey for a page whose certificate it does not trust, so it trusts the front's.
    const key = new X509Certificate(await secure.front.pem).publicKey.export({ type: "spki", format: "der" });
    const trusted = createHash("sha256").update(key).digest("base64");
    const port = await secure.front.listen((request, answer) => answer.setHeader("content-type", "text/html").end(app));
    browser = await launch(`--ignore-certificate-errors-spki-list=${trusted}`, `--host-resolver-rules=MAP app.example.com 127.0.0.1:${port}`);
});
after(() => browser?.close());

/** Somebody's browser, on a device with an authenticator, or without one. It holds each page to its own policy. */
async function person({ device = {}, size = "desktop", scheme = "light", locale = "en-GB", scripts = true } = {}, f) {
    const context = await browser.newContext({ viewport: sizes[size], colorScheme: scheme, locale, javaScriptEnabled: scripts });
    try {
        const page = await context.newPage();
        const wrong = [];
        page.on("console", (message) => {
            if (!harmless.test(message.text())) wrong.push(message.text());
        });
        page.on("pageerror", (error) => wrong.push(String(error)));
        const authenticator = scripts && device ? await authenticatorOf(page, device) : undefined;
        await f(page, authenticator);
        assert.deepEqual(wrong, []);
    } finally {
        await context.close();
    }
}

async function authenticatorOf(page, device) {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    const options = {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        ...device,
    };
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
    return {
        credentials: async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
        verifies: (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
        clear: () => cdp.send("WebAuthn.clearCredentials", { authenticatorId }),
    };
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const signIn = (page, user) => fill(page, { "User name": user, Password: password }, "Sign in");
const signOut = (page) => button(page, "Sign out").click();
const signedIn = (page, user) => page.getByText(`@${user}:localhost`).first().waitFor();

/** Signs in on the account page and adds the first passkey there. */
async function addFirst(page, home, user) {
    await page.goto(`${home}/account`);
    await signIn(page, user);
    await button(page, "Add a passkey").click();
    await page.getByText("The passkey is added").waitFor();
    await page.getByRole("link", { name: "I have kept the codes" }).click();
    await page.getByRole("heading", { name: "Passkeys", exact: true }).waitFor();
}

for (const [name, home] of Object.entries(sites)) {
    const serverOf = () => (name === "TLS" ? secure : local);

    test(`${name}: add one, sign in by it alone and after the password, remove it`, async () => {
        const user = await serverOf().addUser();
        await person({}, async (page, authenticator) => {
            await addFirst(page, home(), user);
            const [made] = await authenticator.credentials();
            assert.equal(made.rpId, "localhost");
            assert.ok(made.isResidentCredential);
            assert.doesNotMatch(Buffer.from(made.userHandle, "base64").toString("latin1"), new RegExp(user));
            await signOut(page);

            await button(page, "Use a passkey").click();
            await signedIn(page, user);
            await signOut(page);

            await signIn(page, user);
            await page.getByRole("heading", { name: "One more step" }).waitFor();
            await button(page, "Use a passkey").click();
            await signedIn(page, user);

            await page.getByRole("link", { name: "Chrome, Linux" }).click();
            await page.getByLabel("Name", { exact: true }).fill("My computer");
            await button(page, "Save").click();
            await page.getByText("Saved.").waitFor();
            await page.goto(`${home()}/account`);
            await page.getByRole("link", { name: "My computer" }).click();
            await button(page, "Remove this passkey").click();
            await page.getByText("The passkey is removed").waitFor();
            await page.goto(`${home()}/account`);
            await signOut(page);

            await button(page, "Use a passkey").click();
            await page.getByRole("alert").filter({ hasText: "This passkey is not good here." }).waitFor();
            await signIn(page, user);
            await signedIn(page, user);
        });
    });

    test(`${name}: in an authorization, alone and after the password`, async () => {
        const user = await serverOf().addUser();
        const headers = { "content-type": "application/json" };
        const registered = await fetch(`${serverOf().url}/oauth2/registration`, { method: "POST", headers, body: JSON.stringify(web) });
        const { client_id } = await registered.json();
        const request = {
            response_type: "code",
            client_id,
            redirect_uri: callback,
            state: "s",
            scope: scope(newDevice()),
            code_challenge: createHash("sha256").update("verifier").digest("base64url"),
            code_challenge_method: "S256",
        };
        await person({}, async (page) => {
            await addFirst(page, home(), user);
            for (const after of [false, true]) {
                await page.goto(`${home()}/account`);
                await signOut(page);
                await page.goto(`${home()}/oauth2/authorize?${new URLSearchParams(request)}`);
                if (after) {
                    await signIn(page, user);
                    await page.getByRole("heading", { name: "One more step" }).waitFor();
                }
                await button(page, "Use a passkey").click();
                assert.match((await arrived(page)).searchParams.get("code"), /./);
            }
        });
    });
}

for (const [size, scheme, locale] of [["phone", "dark", "de-DE"], ["desktop", "light", "en-GB"]]) {
    test(`${size}, ${scheme}, ${locale}: accessible, and no wider than the window`, async () => {
        const user = await local.addUser();
        const say = (english, german) => (locale === "de-DE" ? german : english);
        const add = say("Add a passkey", "Passkey hinzufügen");
        await person({ size, scheme, locale }, async (page, authenticator) => {
            const check = async (when) => {
                await accessible(page, when);
                await fits(page, when);
            };
            await page.goto(`${local.home}/account`);
            await button(page, say("Use a passkey", "Passkey benutzen")).waitFor();
            await check("sign in");
            await button(page, say("Use a passkey", "Passkey benutzen")).click();
            await page.getByRole("alert").waitFor();
            await check("no passkey here");
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await button(page, add).waitFor();
            await check("account without");
            await button(page, add).click();
            await page.getByRole("status").waitFor();
            await check("recovery codes");
            await page.getByRole("link", { name: say("I have kept the codes", "Ich habe die Codes aufbewahrt") }).click();
            await check("account with one");
            await button(page, add).click();
            await page.getByRole("alert").waitFor();
            await check("one is there");
            await page.goto(`${local.home}/account?action=passkeys`);
            await page.getByRole("link", { name: "Chrome, Linux" }).click();
            await check("passkey");
            await page.goto(`${local.home}/account`);
            await button(page, say("Sign out", "Abmelden")).click();
            await fill(page, { [say("User name", "Benutzername")]: user, [say("Password", "Passwort")]: password }, say("Sign in", "Anmelden"));
            await page.getByRole("heading", { name: say("One more step", "Noch ein Schritt") }).waitFor();
            await check("second step");
            await authenticator.clear();
            await button(page, say("Use a passkey", "Passkey benutzen")).click();
            await page.getByRole("alert").waitFor();
            await check("second step without it");
        });
    });
}

test("with the keyboard alone", async () => {
    const user = await local.addUser();
    await person({}, async (page) => {
        await page.goto(`${local.home}/account`);
        await page.locator("#user:focus").waitFor();
        await page.keyboard.type(user);
        await page.keyboard.press("Tab");
        await page.keyboard.type(password);
        await page.keyboard.press("Enter");
        await button(page, "Add a passkey").waitFor();
        await tabTo(page, button(page, "Add a passkey"));
        await page.keyboard.press("Enter");
        await page.getByText("The passkey is added").waitFor();
        await page.goto(`${local.home}/account`);
        await signOut(page);
        await tabTo(page, button(page, "Use a passkey"));
        await page.keyboard.press("Enter");
        await signedIn(page, user);
    });
});

test("without a script, and in a browser that knows no passkeys, the page says so and the rest works", async () => {
    const user = await local.addUser();
    for (const scripts of [false, true]) {
        await person({ scripts, device: false }, async (page) => {
            if (scripts) await page.addInitScript(() => delete window.PublicKeyCredential);
            await page.goto(`${local.home}/account`);
            await page.getByRole("heading", { name: "Sign in" }).waitFor();
            assert.equal(await button(page, "Use a passkey").count(), 0);
            await signIn(page, user);
            await page.getByText("Passkeys need a script").waitFor();
            await page.getByText("One-time codes work without.").waitFor();
            assert.equal(await button(page, "Add a passkey").count(), 0);
        });
    }
});

test("one that does not verify who holds it is good after the password, and not in its place", async () => {
    const user = await local.addUser();
    await person({}, async (page, authenticator) => {
        await addFirst(page, local.home, user);
        await signOut(page);
        await authenticator.verifies(false);
        await button(page, "Use a passkey").click();
        await page.getByRole("alert").filter({ hasText: "No passkey was used" }).waitFor();
        await signIn(page, user);
        await button(page, "Use a passkey").click();
        await signedIn(page, user);
    });
});

test("a security key that keeps no passkeys is a second factor", async () => {
    const user = await local.addUser();
    await person({ device: { transport: "usb", hasResidentKey: false, hasUserVerification: false, isUserVerified: false } }, async (page) => {
        await addFirst(page, local.home, user);
        await signOut(page);
        await signIn(page, user);
        await button(page, "Use a passkey").click();
        await signedIn(page, user);
    });
});
