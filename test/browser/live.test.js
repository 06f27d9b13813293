// The page while a spec is edited and saved: a real file, served by --spec.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { knock, specFor } from "./editing.js";
import { accessible, lab, operation, schemes, tryOut } from "./page.js";

const spec = specFor();
const { visit } = lab("--spec", spec.file);
const source = "**/_postern/spec/openapi.json";

/** Saves the spec and waits until it is served, so that a test begins with what it means to. */
async function served(page, paths, count) {
    spec.save(paths);
    await page.waitForFunction((wanted) => document.querySelector("#count-spec")?.innerText === wanted, String(count));
}

beforeEach(() => spec.save());

for (const scheme of schemes) {
    test(`${scheme}: a saved spec is shown at once; what is open stays open, and the page stays where it is`, () =>
        visit({ scheme }, async (page) => {
            await served(page, "", 0);
            const versions = operation(page, "getVersions");
            assert.equal(await tryOut(page, "getVersions"), "200");
            const at = () => page.evaluate(() => Math.round(scrollY));
            const before = await at();
            assert.notEqual(before, 0);
            spec.save(knock());
            await page.getByText("The spec was saved").waitFor();
            await operation(page, "knock").getByText("spec", { exact: true }).waitFor();
            assert.ok(await versions.getByRole("button", { name: "Execute" }).isVisible());
            assert.ok(Math.abs((await at()) - before) < 200, `the page moved from ${before} to ${await at()}`);
            assert.equal(await page.locator("#count-spec").innerText(), "1");

            assert.equal(await tryOut(page, "knock"), "200");
            await operation(page, "knock").getByText("Answered by: spec").waitFor();
            await operation(page, "knock").getByText('"heard": true').first().waitFor();
            await accessible(page, "with an operation that the spec answers");
            await page.getByRole("radio", { name: /spec/ }).check();
            await versions.waitFor({ state: "detached" });
            assert.equal(await page.locator(".opblock").count(), 1);
        }));
}

test("a picture that a spec points at is not fetched", async () => {
    let refused;
    await assert.rejects(
        visit({}, async (page) => {
            await served(page, knock('      description: "With a picture from elsewhere: ![](https://example.org/picture.png)"\n'), 1);
            await operation(page, "knock").locator(".opblock-summary-control").click();
            await page.waitForFunction(() => window.refused.length > 0);
            refused = await page.evaluate(() => window.refused);
        }),
    ); // every other visit fails when the policy had to refuse something, or something asked elsewhere
    assert.deepEqual(refused, ["img-src https://example.org/picture.png"]);
});

test("a server that is away is told, and found again", () => {
    let away = false;
    const prepare = (page) => page.route(source, (route) => (away ? route.abort() : route.continue()));
    return assert.rejects(
        visit({ prepare }, async (page) => {
            away = true;
            await page.getByText("The spec cannot be read now").waitFor();
            away = false;
            await page.getByText("The server is back.").waitFor();
            throw new Error("seen"); // the browser complained of the connection, as it should
        }),
        /seen/,
    );
});
