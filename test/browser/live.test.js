// The page while the spec is edited. What the server would serve then comes from here: the real document with an operation more.
import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, lab, operation, schemes, tryOut } from "./page.js";

const { visit } = lab();
const source = "**/_postern/spec/openapi.json";

/** Serves the document as f changes it, from when save is called. */
function editable(f) {
    let saved = false;
    return {
        save: () => (saved = true),
        prepare: (page) =>
            page.route(source, async (route) => {
                if (!saved) return route.continue();
                const { "if-none-match": known } = route.request().headers();
                if (known === '"edited"') return route.fulfill({ status: 304 });
                const answer = await route.fetch({ headers: {} });
                return route.fulfill({ headers: { ETag: '"edited"' }, json: f(await answer.json()) });
            }),
    };
}

const knock = (document) => {
    document.paths["/_matrix/client/v3/knock"] = {
        post: {
            operationId: "knock",
            tags: ["session"],
            summary: "Knock.",
            description: "With a picture from elsewhere: ![](https://example.org/picture.png)",
            "x-postern-answered-by": "spec",
            responses: { 200: { description: "Knocked." } },
        },
    };
    return document;
};

for (const scheme of schemes) {
    test(`${scheme}: a saved spec is shown at once; what is open stays open, and the page stays where it is`, async () => {
        const edit = editable((document) => {
            delete knock(document).paths["/_matrix/client/v3/knock"].post.description;
            return document;
        });
        await visit({ scheme, prepare: edit.prepare }, async (page) => {
            await page.route("**/v3/knock", (route) => route.fulfill({ headers: { "Postern-Answered-By": "spec" }, json: {} }));
            const versions = operation(page, "getVersions");
            assert.equal(await tryOut(page, "getVersions"), "200");
            const at = () => page.evaluate(() => Math.round(scrollY));
            const before = await at();
            assert.notEqual(before, 0);
            edit.save();
            await page.getByText("The spec was saved").waitFor();
            await operation(page, "knock").getByText("spec", { exact: true }).waitFor();
            assert.ok(await versions.getByRole("button", { name: "Execute" }).isVisible());
            assert.ok(Math.abs((await at()) - before) < 200, `the page moved from ${before} to ${await at()}`);
            assert.equal(await page.locator("#count-spec").innerText(), "1");

            assert.equal(await tryOut(page, "knock"), "200");
            await operation(page, "knock").getByText("Answered by: spec").waitFor();
            await accessible(page, "with an operation that the spec answers");
            await page.getByRole("radio", { name: /spec/ }).check();
            await versions.waitFor({ state: "detached" });
            assert.equal(await page.locator(".opblock").count(), 1);
        });
    });
}

test("a picture that a spec points at is not fetched", async () => {
    const edit = editable(knock);
    edit.save();
    let refused;
    await assert.rejects(
        visit({ prepare: edit.prepare }, async (page) => {
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
