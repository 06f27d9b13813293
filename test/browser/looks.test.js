// How the page is, at both widths and in both schemes: axe finds nothing, nothing is wider than the window.
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
