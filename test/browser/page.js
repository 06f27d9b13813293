// The page in Debian's Chromium, watched: every test ends by asserting that nothing left the machine, that the page's policy refused
// nothing, and that nothing was complained of on the console.
import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

import { password, serverFor } from "../clients/js/server.js";

export const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
export const schemes = ["light", "dark"];
export { password };

/** What Chromium says that is no fault: of a form that came back, or a failure; and that a test has given the focus before the browser
 *  did, which it does with the first frame. */
export const harmless = /status of 4(0[03]|10)|Autofocus processing was blocked/;

/** Debian's Chromium. */
export const launch = (...args) =>
    chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: process.getuid() === 0 ? ["--no-sandbox", ...args] : args, // as root it has none to offer
    });

/** A server with --dev, and more flags if there are any, and a browser for a whole test file. */
export function lab(...flags) {
    const server = serverFor("--dev", ...flags);
    let browser;
    before(async () => {
        browser = await launch();
    });
    after(() => browser?.close());
    return {
        server,
        /** Opens the page, or another one at a path, has f work with it, and holds it to what every visit is held to. */
        async visit({ size = "desktop", scheme = "light", prepare = async () => {}, path, scripts = true }, f) {
            const context = await browser.newContext({
                viewport: sizes[size],
                colorScheme: scheme,
                reducedMotion: "reduce",
                javaScriptEnabled: scripts,
            });
            try {
                const page = await context.newPage();
                const wrong = await watch(page, server);
                await prepare(page);
                await page.goto(`${server.url}${path ?? "/_postern/spec"}`);
                if (!path) await page.locator(".opblock").first().waitFor();
                await f(page);
                assert.deepEqual(wrong, []);
                if (scripts) assert.deepEqual(await refusals(page), []);
            } finally {
                await context.close();
            }
        },
    };
}

/** Notes requests to elsewhere, errors and complaints. That an answer was 4xx the browser also writes to the console; tests see to
 *  what answers are. */
async function watch(page, server) {
    const wrong = [];
    page.on("request", (request) => {
        const url = new URL(request.url());
        if (url.protocol !== "data:" && url.origin !== server.url) wrong.push(`request to ${url}`);
    });
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => {
        const answer = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
        if (["error", "warning"].includes(message.type()) && !answer) wrong.push(`console: ${message.text()}`);
    });
    await page.addInitScript(() => {
        window.refused = [];
        document.addEventListener("securitypolicyviolation", (event) => window.refused.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    return wrong;
}

/** What the page's Content-Security-Policy refused. */
export const refusals = (page) => page.evaluate(() => window.refused);

/** Fails when axe finds anything at all, on the whole page or within a part. No rule and no element is excluded. */
export async function accessible(page, when, part = "html") {
    const { violations } = await new AxeBuilder({ page }).include(part).analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, html }) => `${target} ${html}`).join("\n  ")}`);
    assert.deepEqual(found, [], when);
}

/** Fails when the page is wider than the window. */
export async function fits(page, when) {
    const [page_, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(page_ <= window_, `${when}: the page is ${page_} px wide, the window ${window_}`);
}

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
export async function tabTo(page, locator) {
    const most = 120;
    for (let pressed = 0; pressed < most; pressed++) {
        await page.keyboard.press("Tab");
        if (await locator.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`${most} times Tab do not reach ${locator}`);
}

/** An operation's block. */
export const operation = (page, id) => page.locator(`.opblock[id$="-${id}"]`);

export async function logIn(page, user) {
    await page.getByLabel("User", { exact: true }).fill(user);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByText(`Logged in as @${user}:localhost`).waitFor();
}

/** Opens an operation, unless it is open, sends it, and gives the status that the page shows. */
export async function tryOut(page, id) {
    const block = operation(page, id);
    const opener = block.locator(".opblock-summary-control");
    if ((await opener.getAttribute("aria-expanded")) !== "true") await opener.click();
    const clear = block.getByRole("button", { name: "Clear" });
    if (await clear.count()) await clear.click();
    await block.getByRole("button", { name: "Execute" }).click();
    return statusOf(block);
}

/** The status of the answer that an operation's block shows. */
export async function statusOf(block) {
    const status = block.locator(".live-responses-table .response-col_status").last();
    await status.filter({ hasText: /\d{3}/ }).waitFor();
    return (await status.innerText()).slice(0, 3);
}

/** Shows the bench, which a phone shows instead of the operations. */
export async function toBench(page) {
    const link = page.getByRole("link", { name: "Macaroon bench", exact: true });
    if (await link.isVisible()) await link.click();
    await page.getByRole("heading", { name: "Macaroon bench" }).waitFor();
}

export async function toOperations(page) {
    const link = page.getByRole("link", { name: "Operations", exact: true });
    if (await link.isVisible()) await link.click();
    await page.getByRole("heading", { name: "Operations" }).waitFor();
}

/** The row of the bench's table for a request: "GET /a/b". */
export const row = (page, request) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: request, exact: true }) });
