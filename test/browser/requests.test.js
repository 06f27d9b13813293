// The request log on the page, as a client's requests fill it, by keyboard, narrow and wide, dark and light; and that another tool
// reads what is saved.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { accessible, fits, lab, logIn, password, tabTo } from "./page.js";

const folder = mkdtempSync(join(tmpdir(), "requests-"));
after(() => rmSync(folder, { recursive: true }));
const recording = join(folder, "session.har");
const { server, visit } = lab("--record", recording);

const panel = (page) => page.locator("#request-log");
const entries = (page, text) => page.locator("#request-list > li").filter({ hasText: text });
const ask = (path, options) => fetch(server.url + path, options);

for (const [size, scheme] of [["phone", "dark"], ["desktop", "light"]]) {
    test(`${size}, ${scheme}: requests come, open by keyboard, and hide what is secret`, () =>
        visit({ size, scheme }, async (page) => {
            const user = await server.addUser();
            const asked = [];
            page.on("request", (request) => request.url().includes("requests.json") && asked.push(request.url()));
            await logIn(page, user);
            await tabTo(page, panel(page).locator("summary").first());
            assert.deepEqual(asked, [], "a panel that is closed asks nothing");
            await page.keyboard.press("Enter");
            const login = entries(page, "/v3/login").first();
            await login.getByText("real", { exact: true }).waitFor();
            await ask("/_matrix/client/v3/rooms/!a:b.c/state", { headers: { Authorization: "Bearer hunter2" } });
            const unknown = entries(page, "/rooms/!a:b.c/state").first();
            await unknown.getByText("not in the spec").waitFor();
            await page.locator("#missing").getByText("GET /_matrix/client/v3/rooms/{}/state").waitFor();

            await tabTo(page, login.locator("summary"));
            await page.keyboard.press("Enter");
            await login.getByText('"password": "[hidden]"').waitFor();
            await login.getByText(user).first().waitFor();
            await unknown.locator("summary").click();
            await unknown.getByText("Bearer [hidden]").waitFor();
            const text = await panel(page).innerText();
            assert.ok(!text.includes(password) && !text.includes("hunter2") && !text.includes("AgE"), text);
            await accessible(page, "with entries open", "#request-log");
            await fits(page, "with entries open");

            await panel(page).getByRole("radio", { name: /does not have/ }).check();
            await login.waitFor({ state: "hidden" });
            assert.ok(await unknown.isVisible());
        }));
}

test("what is saved, and what is recorded, is an HTTP Archive that another tool answers from", () =>
    visit({}, async (page) => {
        const asked = await (await ask("/_matrix/client/versions")).json();
        await panel(page).locator("summary").first().click();
        const download = page.waitForEvent("download");
        await page.getByRole("link", { name: "Save them as a HAR" }).click();
        const saved = join(folder, "saved.har");
        await (await download).saveAs(saved);
        const recorded = join(folder, "copy.har"); // the server still writes the other
        writeFileSync(recorded, readFileSync(recording));
        for (const har of [saved, recorded]) {
            const other = await page.context().newPage();
            await other.routeFromHAR(har, { url: "**/versions", notFound: "abort" });
            const answer = await other.goto(`${server.url}/_matrix/client/versions`);
            assert.deepEqual(await answer.json(), asked);
            await other.close();
        }
    }));
