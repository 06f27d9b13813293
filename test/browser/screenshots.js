// Writes the pictures of docs/: node screenshots.js FOLDER. They show what a person sees after the steps here, and no more.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { knock, specFor } from "./editing.js";
import { fill } from "./proof.js";
import { lab, logIn, operation, password, row, toBench, tryOut } from "./page.js";
import { signing } from "./signin.js";
import { homeServerFor } from "../clients/js/server.js";

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
    });
});
