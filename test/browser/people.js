// People with a browser each, as a process that a test commands. They see what the pages say and press what is there.
import { tmpdir } from "node:os";
import { chromium } from "playwright-core";

import { obey } from "../clients/js/home/obey.js";

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [], // as root it has none to offer
    env: { ...process.env, HOME: tmpdir() }, // for what a browser writes beside its profile
});

const pages = new Map();

/** The page that somebody looks at, in a browser of their own. Nothing on it needs a script. */
async function pageOf(name) {
    if (!pages.has(name)) {
        const context = await browser.newContext({ locale: "en-GB", javaScriptEnabled: false });
        context.setDefaultTimeout(20_000);
        pages.set(name, await context.newPage());
    }
    return pages.get(name);
}

const commands = {
    /** Signs in, or agrees where somebody is signed in, and gives where the browser is sent. */
    async signIn({ name, password, url, back }) {
        const page = await pageOf(name);
        await page.goto(url);
        if (password) {
            await page.getByLabel("User name").fill(name);
            await page.getByLabel("Password").fill(password);
            await page.getByRole("button", { name: "Sign in" }).click();
        } else await page.getByRole("button", { name: "Allow" }).click();
        await page.waitForURL((to) => to.href.startsWith(back));
        return { to: page.url() };
    },

    /** Opens a page, presses what it asks to be pressed, and gives what is shown then. */
    async press({ name, url, button }) {
        const page = await pageOf(name);
        await page.goto(url);
        await page.getByRole("button", { name: button }).click();
        return { shown: await page.locator("main").innerText() };
    },
};

await obey(commands, () => browser.close());
