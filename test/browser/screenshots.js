// Writes the pictures of docs/: node screenshots.js FOLDER. They show what a person sees after the steps here, and no more.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { knock, specFor } from "./editing.js";
import { fill } from "./proof.js";
import { lab, logIn, operation, password, row, toBench, tryOut } from "./page.js";
import { signing } from "./signin.js";
import { homeServerFor } from "../clients/js/server.js";
import { codeOf } from "./totp.js";

const folder = process.argv[2];
const spec = specFor();
spec.save(knock());
const { server, visit } = lab("--spec", spec.file);
const pages = signing("--registration", "open", "--server-name", "example.org");

// Found by a domain name, so that there are passkeys.
const home = homeServerFor("--server-name", "example.org");

mkdirSync(folder, { recursive: true });
const small = { width: 1280, height: 720 };
const shoot = (page, name) => page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });

async function narrowed(page) {
    await toBench(page);
    await page.getByRole("button", { name: "Use my session's token" }).click();
    await page.getByRole("button", { name: "only GET" }).click();
    await row(page, "POST /_matrix/client/v3/logout").filter({ hasText: "method in GET" }).waitFor();
}

/** Logs in to the account that --dev makes, whose password nobody knows but who reads the greeting. */
async function asAlice(page) {
    await server.command(["user", "passwd", "alice", "--password-stdin"], password);
    await logIn(page, "alice");
}

/** Puts an element at the top of the window, or of what scrolls around it. */
const top = (locator) => locator.evaluate((element) => element.scrollIntoView({ block: "start" }));

test("operations, on a desktop, light", () =>
    visit({}, async (page) => {
        await page.setViewportSize(small);
        await asAlice(page);
        await page.getByRole("button", { name: "Use my session's token" }).click();
        await row(page, "POST /_matrix/client/v3/logout").waitFor();
        await top(page.locator("#operations"));
        await shoot(page, "page-operations");
    }));

test("the bench, on a desktop, dark", () =>
    visit({ scheme: "dark" }, async (page) => {
        await page.setViewportSize(small);
        await asAlice(page);
        await narrowed(page);
        await tryOut(page, "getTokenOwner");
        await top(operation(page, "getTokenOwner").getByRole("button", { name: "Execute" }));
        await top(page.getByRole("heading", { name: "Signature" }));
        await shoot(page, "page-bench-dark");
    }));

test("a phone", () =>
    visit({ size: "phone" }, async (page) => {
        await asAlice(page);
        await narrowed(page);
        await top(page.getByRole("heading", { name: "Caveats", exact: true }));
        await shoot(page, "page-phone");
    }));

test("the page to sign in, on a phone, light", async () => {
    const element = { client_name: "Element", client_uri: "https://app.element.io", redirect_uris: ["https://app.element.io/"] };
    const { url } = await pages.application({}, element);
    await pages.visit({ size: "phone" }, url, async (page) => {
        await page.setViewportSize({ width: 390, height: 720 });
        await shoot(page, "sign-in");
    });
});

// The account page: each of its pages once, in English, on a screen that shows them whole.
const agents = {
    Phone: "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)",
    Laptop: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
};

async function withDevices() {
    const user = await home.addUser();
    for (const [name, agent] of Object.entries(agents)) {
        const body = JSON.stringify({ type: "m.login.password", user, password, device_id: name.toUpperCase() });
        const headers = { "content-type": "application/json", "user-agent": agent };
        await fetch(`${home.url}/_matrix/client/v3/login`, { method: "POST", headers, body });
    }
    return user;
}

const whole = (page, name) => page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", fullPage: true });

for (const [name, view] of [
    ["account", { size: "desktop", scripts: true }],
    ["account-phone", { size: "phone", scheme: "dark", scripts: true }],
])
    test(`the ${name} page, whole`, async () => {
        const user = await withDevices();
        await pages.visit(view, `${home.home}/account`, async (page) => {
            await fill(page, { "User name": user, Password: password }, "Sign in");
            await page.getByRole("heading", { name: "Devices" }).waitFor();
            await whole(page, name);
        });
    });

test("the pages behind the account page", async () => {
    const user = await withDevices();
    const account = `${home.home}/account`;
    await pages.visit({}, account, async (page) => {
        await page.setViewportSize({ width: 800, height: 600 });
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await page.goto(`${account}?action=org.matrix.device_view&device_id=PHONE`);
        await whole(page, "account-device");
        await page.goto(`${account}?action=events`);
        await whole(page, "account-events");
        await page.goto(`${account}?action=tokens`);
        await page.getByLabel("Name", { exact: true }).fill("Doorbell");
        await page.getByLabel("May only send to one room").check();
        await page.getByLabel("Room id").fill("!kitchen:example.org");
        await page.getByRole("button", { name: "Preview" }).click();
        await page.getByRole("heading", { name: "What the token opens" }).waitFor();
        await whole(page, "account-token");
        await page.goto(account);
        await page.getByRole("button", { name: "Set up one-time codes" }).click();
        await page.getByLabel("One-time code").waitFor();
        await whole(page, "account-codes");
        await fill(page, { "One-time code": codeOf(await page.locator("main code").first().innerText()) }, "Save");
        await page.getByRole("link", { name: "I have kept the codes" }).waitFor();
        await whole(page, "account-recovery");
        for (const [action, name] of [
            ["others", "account-others"],
            ["org.matrix.account_deactivate", "account-deactivate"],
        ]) {
            await page.goto(`${account}?action=${action}`);
            await whole(page, name);
        }
        await page.goto(account);
        await page.getByRole("button", { name: "Sign out", exact: true }).click();
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await page.getByLabel("One-time code").waitFor();
        await whole(page, "sign-in-second");
    });
});

test("a passkey, and a token that was created", async () => {
    const user = await withDevices();
    const account = `${home.home}/account`;
    await pages.visit({ scripts: true }, account, async (page) => {
        await page.setViewportSize({ width: 800, height: 600 });
        const cdp = await page.context().newCDPSession(page);
        await cdp.send("WebAuthn.enable");
        const authenticator = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true };
        const options = { ...authenticator, isUserVerified: true, automaticPresenceSimulation: true };
        await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
        await fill(page, { "User name": user, Password: password }, "Sign in");
        await page.goto(`${account}?action=tokens`);
        await page.getByLabel("Name", { exact: true }).fill("Backup");
        await page.getByLabel("May only read").check();
        await page.getByRole("button", { name: "Create a token" }).click();
        await page.locator("#token").waitFor();
        await whole(page, "account-token-created");
        await page.goto(account);
        await page.getByRole("button", { name: "Add a passkey" }).click();
        await page.getByRole("link", { name: "I have kept the codes" }).click();
        await page.getByRole("link", { name: /Chrome/ }).first().click();
        await page.getByLabel("Name", { exact: true }).waitFor();
        await whole(page, "account-passkey");
    });
});

test("the operator's desk", async () => {
    const names = ["alice", "bob", "carol", "dave"];
    for (const name of names) await home.command(["user", "add", name, "--password-stdin"], password);
    await home.command(["user", "admin", "alice", "on"]);
    await home.command(["user", "lock", "dave"]);
    for (const [name, agent] of Object.entries(agents)) {
        const body = JSON.stringify({ type: "m.login.password", user: "bob", password, device_id: name.toUpperCase() });
        const headers = { "content-type": "application/json", "user-agent": agent };
        await fetch(`${home.url}/_matrix/client/v3/login`, { method: "POST", headers, body });
    }
    await pages.visit({}, `${home.home}/account`, async (page) => {
        await page.setViewportSize({ width: 800, height: 660 });
        await fill(page, { "User name": "alice", Password: password }, "Sign in");
        await page.getByRole("link", { name: "Go to the operator's desk" }).click();
        await page.getByRole("heading", { name: "The operator's desk" }).waitFor();
        await shoot(page, "desk");
        await page.getByRole("link", { name: "People" }).click();
        await page.getByRole("heading", { name: "People" }).waitFor();
        await whole(page, "desk-people");
        await page.getByRole("link", { name: "@bob:example.org" }).click();
        await page.getByRole("heading", { name: "Account", exact: true }).waitFor();
        await whole(page, "desk-person");
    });
});

test("a new password by a link, on a phone", async () => {
    const user = await home.addUser();
    const printed = await home.command(["user", "reset-link", user, "--public-url", home.home]);
    await pages.visit({ size: "phone" }, printed.match(/http\S+/)[0], async (page) => {
        await page.getByRole("heading", { name: "Choose a new password" }).waitFor();
        await whole(page, "recover");
    });
});
