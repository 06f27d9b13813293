// The macaroon bench against the server: what it says of a token is what the server then does.
import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, lab, logIn, operation, row, toBench, toOperations, tryOut } from "./page.js";

const { server, visit } = lab();
const whoami = "GET /_matrix/client/v3/account/whoami";
const logout = "POST /_matrix/client/v3/logout";

async function withToken(page) {
    await logIn(page, await server.addUser());
    await toBench(page);
    await page.getByRole("button", { name: "Use my session's token" }).click();
    await row(page, logout).filter({ hasText: "yes" }).waitFor();
}

const signature = (page) => page.locator("#after").innerText();

async function ask(method, path, token) {
    const answer = await fetch(server.url + path, { method, headers: { Authorization: `Bearer ${token}` } });
    return answer.status;
}

for (const size of ["phone", "desktop"]) {
    test(`${size}: a caveat changes the signature and takes requests away, here and at the server`, () =>
        visit({ size }, async (page) => {
            await withToken(page);
            const before = await signature(page);
            assert.match(before, /^[0-9a-f]{64}$/);
            await page.getByLabel("Value", { exact: true }).fill("GET");
            await page.getByRole("button", { name: "Add", exact: true }).click();
            await row(page, logout).filter({ hasText: "no" }).waitFor();
            assert.notEqual(await signature(page), before);
            assert.equal(await page.locator("#before").innerText(), before);
            assert.match(await row(page, logout).innerText(), /method in GET: The method is POST\./);
            assert.match(await row(page, whoami).innerText(), /yes/);
            assert.match(await page.locator("#caveats li").last().innerText(), /added here\s+Only for requests with the method GET\./);
            const narrower = await page.getByLabel("The new token").inputValue();
            assert.equal(await ask("POST", "/_matrix/client/v3/logout", narrower), 403);
            assert.equal(await ask("GET", "/_matrix/client/v3/account/whoami", narrower), 200);

            await page.getByLabel("the bench's token").check();
            await toOperations(page);
            assert.equal(await tryOut(page, "logout"), "403");
            assert.equal(await tryOut(page, "getTokenOwner"), "200");
            await page.getByLabel("no token").check();
            assert.equal(await tryOut(page, "getTokenOwner"), "401");

            await toBench(page);
            await page.getByRole("button", { name: "Undo all" }).click();
            await row(page, logout).filter({ hasText: "yes" }).waitFor();
            assert.equal(await signature(page), before, "adding and taking away leaves the token as it was");
        }));
}

test("each kind of caveat is said in plain words, and an unknown one refuses the token", () =>
    visit({}, async (page) => {
        await withToken(page);
        const add = async (kind, value, words) => {
            await page.getByLabel("Kind").selectOption(kind);
            if (value !== null) await page.getByLabel("Value", { exact: true }).fill(value);
            await page.getByRole("button", { name: "Add", exact: true }).click();
            await page.locator("#caveats li.you").filter({ hasText: words }).waitFor();
        };
        await add("path under", "/_matrix/client/v3/account", "Only for /_matrix/client/v3/account and what lies below it.");
        assert.match(await row(page, "GET /_matrix/client/v3/devices").innerText(), /The path is not/);
        await add("addr in", "127.0.0.1,::1", "Only for clients whose address is in 127.0.0.1 or ::1.");
        await add("device_id =", null, "Only while the session's device is");
        await add("time <", "3", /Until .* UTC \(in \d+ (minutes|seconds)\)\./);
        await page.getByLabel("From address").fill("192.0.2.7");
        await row(page, whoami).filter({ hasText: "The client's address is 192.0.2.7." }).waitFor();
        await page.getByLabel("From address").fill("");
        await row(page, whoami).filter({ hasText: "yes" }).waitFor();
        await add("", "colour = red", "Postern does not know this; it refuses the token.");
        await row(page, whoami).filter({ hasText: "unknown key" }).waitFor();
    }));

test("what is malformed is told at its field, and the bench goes on", () =>
    visit({}, async (page) => {
        const token = page.getByLabel("Token", { exact: true });
        await token.fill("nonsense");
        await page.locator("#token-error").filter({ hasText: "This is not a token of Postern's" }).waitFor();
        assert.equal(await token.getAttribute("aria-invalid"), "true");
        await withToken(page);
        assert.equal(await token.getAttribute("aria-invalid"), null);
        await page.getByLabel("Kind").selectOption("");
        await page.getByLabel("Value", { exact: true }).fill("nonsense");
        await page.getByRole("button", { name: "Add", exact: true }).click();
        await page.locator("#value-error").filter({ hasText: "Write it like" }).waitFor();
        await page.getByLabel("Path", { exact: true }).fill("nowhere");
        await page.locator("#own-error").filter({ hasText: "A path begins with a slash" }).waitFor();
        await row(page, whoami).filter({ hasText: "yes" }).waitFor();
    }));

test("a token whose session has ended opens nothing, and the bench says why", () =>
    visit({}, async (page) => {
        await withToken(page);
        await page.getByRole("button", { name: "Log out" }).click();
        await page.locator("#verdict").filter({ hasText: "The session has ended." }).waitFor();
        await row(page, whoami).filter({ hasText: "The session has ended." }).waitFor();
        assert.match(await page.locator("#opens").innerText(), /^Opens 0 of/);
    }));

test("a forged token is told apart", () =>
    visit({}, async (page) => {
        await withToken(page);
        const token = page.getByLabel("Token", { exact: true });
        const good = await token.inputValue();
        await token.fill(`${good.slice(0, -4)}AAAA`);
        await page.locator("#verdict").filter({ hasText: "The signature does not hold" }).waitFor();
        assert.match(await row(page, whoami).innerText(), /The signature does not hold/);
    }));

test("the admin API stands beside the other one, and takes the token that was made for it", () =>
    visit({}, async (page) => {
        await page.getByRole("link", { name: "the admin API" }).click();
        await page.getByText("Postern's admin API 1").waitFor();
        const user = await server.addUser();
        await server.command(["user", "admin", user, "on"]);
        const token = await server.command(["token", "issue", "--admin", user, "method in GET"]);
        await page.getByLabel("Token", { exact: true }).fill(token.trim());
        await page.getByLabel("the bench's token").check();
        await row(page, "GET /_postern/admin/v1/counts").filter({ hasText: "yes" }).waitFor();
        assert.equal(await tryOut(page, "count"), "200");
        await operation(page, "count").getByText('"accounts":').first().waitFor();
        assert.equal(await tryOut(page, "createInvitation"), "403");
        await accessible(page, "with the admin API");
        await logIn(page, user);
        await page.getByLabel("the session's token").check();
        assert.equal(await tryOut(page, "count"), "403"); // an administrator's session is no token for it
        assert.equal(await page.locator("#count-spec").innerText(), "0");
    }));
