// Try-its begin with the examples of the spec, and a login is one click away.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lab, operation, tryOut } from "./page.js";

const { server, visit } = lab();

const body = (block) => block.locator("textarea.body-param__text");
const opened = async (page, id) => {
    const block = operation(page, id);
    await block.locator(".opblock-summary-control").click();
    await block.getByRole("button", { name: "Execute" }).waitFor();
    return block;
};

test("one click on Execute logs the development account in, by either API", () =>
    visit({}, async (page) => {
        const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/v3/login"));
        assert.equal(await tryOut(page, "login"), "200");
        const asked = (await sent).postDataJSON();
        assert.deepEqual(asked.identifier, { type: "m.id.user", user: "alice" });
        assert.equal((await server.sessions("alice")).length, 1);
        assert.equal(JSON.parse(await body(operation(page, "login")).inputValue()).password, asked.password, "the password is to be seen");
        assert.equal(await tryOut(page, "draftLogin"), "200");
        const { password } = await (await page.request.get(`${server.url}/_postern/spec/password`)).json();
        assert.equal(password, asked.password);
        const document = await (await page.request.get(`${server.url}/_postern/spec/openapi.json`)).text();
        assert.ok(!document.includes(password), "the password stands in the document, which people save");
        assert.ok(!server.log.join("\n").includes(password));
    }));

test("bodies, forms and parameters begin with the examples of the spec", () =>
    visit({}, async (page) => {
        const renamed = await opened(page, "updateDevice");
        assert.deepEqual(JSON.parse(await body(renamed).inputValue()), { display_name: "Alice's new laptop" });
        assert.equal(await renamed.getByRole("textbox", { name: "deviceId" }).inputValue(), "EXAMPLEDEV");
        await renamed.getByText('"retry_after_ms": 5000').first().waitFor({ state: "attached" });

        const token = await opened(page, "token");
        const field = (name) => token.getByRole("textbox", { name, exact: true }).inputValue();
        assert.equal(await field("grant_type"), "refresh_token");
        assert.equal(await field("refresh_token"), "example-refresh-token");
        assert.equal(await field("code"), "");
        const sent = page.waitForRequest((request) => request.url().endsWith("/oauth2/token"));
        await token.getByRole("button", { name: "Execute" }).click();
        const form = Object.fromEntries(new URLSearchParams((await sent).postData()));
        assert.deepEqual(form, { grant_type: "refresh_token", client_id: "example-client-id", refresh_token: "example-refresh-token" });
    }));

test("a server that was started again has another password, and an open login has it too", () =>
    assert.rejects(
        visit({}, async (page) => {
            const login = await opened(page, "login");
            const before = await body(login).inputValue();
            assert.equal(await server.end("SIGTERM"), 0);
            await page.getByText("The spec cannot be read now").waitFor();
            await server.start();
            await page.getByText("The server is back.").waitFor();
            assert.notEqual(await body(login).inputValue(), before);
            assert.equal(await tryOut(page, "login"), "200");
            throw new Error("seen"); // the browser complained of the connection, as it should
        }),
        /seen/,
    ));
