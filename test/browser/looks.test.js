// How the page is, at both widths and in both schemes: axe finds nothing, nothing is wider than the window.
import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, fits, lab, logIn, operation, row, schemes, sizes, toBench, tryOut } from "./page.js";

const { server, visit } = lab();

for (const size of Object.keys(sizes)) {
    for (const scheme of schemes) {
        test(`${size}, ${scheme}: accessible, and no wider than the window`, () =>
            visit({ size, scheme }, async (page) => {
                const check = async (when, part) => {
                    await accessible(page, when, part);
                    await fits(page, when);
                };
                await check("as it opens");
                await page.getByLabel("User", { exact: true }).fill("nobody");
                await page.getByRole("button", { name: "Log in", exact: true }).click();
                await page.locator("#session-error:not(:empty)").waitFor();
                await check("after a log-in that failed", ".session");
                await logIn(page, await server.addUser());
                await tryOut(page, "getTokenOwner");
                await operation(page, "getTokenOwner").getByText("Example and schema").first().click();
                await operation(page, "login").getByRole("button", { name: /login/ }).first().click();
                await operation(page, "login").getByRole("button", { name: "Execute" }).waitFor();
                await operation(page, "getDevice").getByRole("button", { name: /devices/ }).first().click();
                await operation(page, "getDevice").getByRole("textbox", { name: "deviceId" }).fill("");
                await operation(page, "getDevice").getByRole("button", { name: "Execute" }).click(); // without its parameter
                await operation(page, "getDevice").locator(".invalid").first().waitFor();
                await check("with operations open and an answer");
                await operation(page, "getTokenOwner").getByRole("tab", { name: "Schema" }).first().click();
                await check("with a schema", '[id$="-getTokenOwner"]');
                await toBench(page);
                await page.getByRole("button", { name: "Use my session's token" }).click();
                await page.getByRole("button", { name: "only GET" }).click();
                await row(page, "POST /_matrix/client/v3/logout").filter({ hasText: "no" }).waitFor();
                await check("with a token on the bench", "#bench");
                await page.getByLabel("Token", { exact: true }).fill("nonsense");
                await page.locator("#token-error:not(:empty)").waitFor();
                await check("with a malformed token", "#bench");
            }));
    }
}

/** The words, names of codes aside, that go on in a second line. */
const brokenWords = (block) =>
    block.evaluate((root) => {
        const broken = [];
        const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode;
            if (text.parentElement.closest("pre, code, textarea, option")) continue;
            for (const word of text.data.matchAll(/\p{L}{2,}/gu)) {
                const range = document.createRange();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) broken.push(word[0]);
            }
        }
        return broken;
    });

/** Where the parts of the operations begin that are in sight: one number each, or they do not line up. */
const edges = (page, part) =>
    page.locator(`.opblock-summary ${part}`).evaluateAll((all) => [...new Set(all.map((one) => Math.round(one.getBoundingClientRect().left)))]);

test("at every width the operations line up, no word is broken, and an open one takes little room", () =>
    visit({}, async (page) => {
        const opened = ["getTokenOwner", "login", "getDevice"].map((id) => operation(page, id));
        assert.equal(await tryOut(page, "getTokenOwner"), "401");
        for (const block of opened.slice(1)) {
            await block.locator(".opblock-summary-control").click();
            await block.locator(".responses-table .response").first().waitFor();
        }
        for (const width of [320, 390, 768, 1280]) {
            await page.setViewportSize({ width, height: 844 });
            await fits(page, `at ${width} px`);
            for (const part of [".opblock-summary-method", ".opblock-summary-path", ".badge", ".opblock-summary-description"]) {
                assert.equal((await edges(page, part)).length, 1, `at ${width} px the edges of ${part}: ${await edges(page, part)}`);
            }
            for (const block of opened) assert.deepEqual(await brokenWords(block), [], `at ${width} px`);
            if (width < 390) continue;
            const { height } = await opened[2].boundingBox(); // one that was not sent yet
            assert.ok(height < 1.5 * 844, `at ${width} px it is ${height} px high`);
        }
    }));
