// The page while a spec is edited and saved: a real file, served by --spec.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { knock, specFor } from "./editing.js";
import { accessible, fits, lab, operation, schemes, statusOf, tabTo, tryOut } from "./page.js";

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

test("a broken save is told with its place, after a reload too, until it is mended", () =>
    visit({ size: "phone", scheme: "dark" }, async (page) => {
        await served(page, knock(), 1);
        const banner = page.getByRole("alert").filter({ hasText: "The last save is broken." });
        assert.equal(await banner.count(), 0);
        const line = readFileSync(spec.file, "utf8").split("\n").indexOf("paths:") + 2; // the first below, counted from 1
        spec.save("  \t/broken:\n");
        await banner.getByText(`login.yaml:${line}`).waitFor();
        await banner.getByText("a tab in the indentation").waitFor();
        await page.reload();
        await banner.getByText(`login.yaml:${line}`).waitFor();
        assert.equal(await tryOut(page, "knock"), "200", "the last good spec is served on");
        assert.equal(await page.locator("#spec-status").innerText(), "");
        await accessible(page, "with a broken save");
        await fits(page, "with a broken save");

        spec.save(knock("      deprecated: perhaps\n"));
        await banner.getByText("a tab in the indentation").waitFor({ state: "detached" });
        await banner.getByText("login.yaml:").first().waitFor();

        await operation(page, "getVersions").locator(".opblock-summary-control").focus();
        for (let i = 0; i < 16; i++) { // up again, behind the banner
            await page.keyboard.press("Shift+Tab");
            const [under, focused] = await page.evaluate(() => [
                document.querySelector("#broken").getBoundingClientRect().bottom,
                document.activeElement.getBoundingClientRect().top,
            ]);
            assert.ok(focused >= under, `what has the focus is at ${focused}, the banner reaches to ${under}`);
        }

        spec.save(knock());
        await banner.waitFor({ state: "detached" });
        await page.getByText("The spec was saved").waitFor();
    }));

test("by keyboard alone one chooses the status and the example of an answer of the spec", () =>
    visit({}, async (page) => {
        await served(page, knock(), 1);
        const block = operation(page, "knock");
        await tabTo(page, block.locator(".opblock-summary-control"));
        await page.keyboard.press("Enter");
        const choice = block.getByRole("combobox", { name: "Prefer" });
        const choices = ["--", "code=200", "code=200, example=heard", "code=200, example=unheard", "code=403"];
        await tabTo(page, choice);
        assert.deepEqual(await choice.locator("option").allInnerTexts(), choices);
        for (const [downs, status, said] of [[3, "200", '"heard": false'], [1, "403", "Nobody may knock."]]) {
            for (let i = 0; i < downs; i++) await page.keyboard.press("ArrowDown");
            await page.keyboard.press("Tab");
            await page.keyboard.press("Enter");
            await block.locator(".live-responses-table").getByText(said).first().waitFor();
            assert.equal(await statusOf(block), status);
            await page.keyboard.press("Shift+Tab");
        }
        await block.locator(".curl-command").getByText("'Prefer: code=403'").waitFor();
        await accessible(page, "with a choice of answers", '[id$="-knock"]');

        const real = operation(page, "getVersions");
        assert.equal(await tryOut(page, "getVersions"), "200");
        assert.equal(await real.getByRole("combobox", { name: "Prefer" }).count(), 0, "a real operation answers for itself");
    }));

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
