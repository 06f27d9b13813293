// Writes the pictures of docs/: node screenshots.js FOLDER. They show what a person sees after the steps here, and no more.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { knock, specFor } from "./editing.js";
import { lab, logIn, operation, password, row, toBench, tryOut } from "./page.js";
import { signing } from "./signin.js";

const folder = process.argv[2];
const spec = specFor();
spec.save(knock());
const { server, visit } = lab("--spec", spec.file);
const pages = signing("--registration", "open", "--server-name", "example.org");

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
