// The page by keyboard alone: no click, no focus that the person did not move.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lab, operation, password, row, sizes, statusOf, tabTo } from "./page.js";

const { server, visit } = lab();

for (const size of Object.keys(sizes)) {
    test(`${size}: log in, try whoami, narrow the token on the bench, log out`, () =>
        visit({ size }, async (page) => {
            const user = await server.addUser();
            await tabTo(page, page.getByLabel("User", { exact: true }));
            await page.keyboard.type(user);
            await page.keyboard.press("Tab");
            await page.keyboard.type(password);
            await page.keyboard.press("Enter");
            await page.getByText(`Logged in as @${user}:localhost`).waitFor();
            assert.equal(await page.evaluate(() => document.activeElement.id), "logout", "the focus is lost with the form");

            const whoami = operation(page, "getTokenOwner");
            await tabTo(page, whoami.locator(".opblock-summary-control"));
            await page.keyboard.press("Enter");
            // Swagger UI shows Execute at once, and hears it when the operation that was opened just now is resolved.
            await whoami.locator(".opblock-section").first().waitFor();
            await tabTo(page, whoami.getByRole("button", { name: "Execute" }));
            await page.keyboard.press("Enter");
            assert.equal(await statusOf(whoami), "200");

            if (size === "phone") { // back to the top, where the two parts are chosen
                await page.keyboard.press("Control+Home");
                await page.reload(); // the session outlives it
                await page.getByText(`Logged in as @${user}:localhost`).waitFor();
                await tabTo(page, page.getByRole("link", { name: "Macaroon bench", exact: true }));
                await page.keyboard.press("Enter");
            }
            await tabTo(page, page.getByRole("button", { name: "Use my session's token" }));
            await page.keyboard.press("Enter");
            await page.getByText("The signature holds and the session is live").waitFor();
            await tabTo(page, page.getByLabel("Value", { exact: true }));
            await page.keyboard.press("Control+A");
            await page.keyboard.type("GET");
            await page.keyboard.press("Enter");
            await row(page, "POST /_matrix/client/v3/logout").filter({ hasText: "method in GET" }).waitFor();
            await tabTo(page, page.getByRole("button", { name: "Undo last" }));
            await page.keyboard.press("Enter");
            await row(page, "POST /_matrix/client/v3/logout").filter({ hasText: "yes" }).waitFor();
            assert.equal(await page.evaluate(() => document.activeElement.id), "value", "the focus is lost with the button");

            await page.keyboard.press("Control+Home");
            await tabTo(page, page.getByRole("button", { name: "Log out" }));
            await page.keyboard.press("Enter");
            await page.getByText("Logged out.").waitFor();
            assert.deepEqual(await server.sessions(user), []);
        }));
}
