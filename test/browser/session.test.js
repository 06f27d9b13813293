// The page's session: kept in this tab, renewed by itself, ended for good.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lab, logIn, operation, tryOut } from "./page.js";

const { server, visit } = lab();

const kept = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("postern.session")));

test("a wrong password is told at the form", () =>
    visit({}, async (page) => {
        await page.getByLabel("User", { exact: true }).fill(await server.addUser());
        await page.getByLabel("Password", { exact: true }).fill("wrong");
        await page.keyboard.press("Enter");
        await page.getByRole("alert").filter({ hasText: /.+/ }).first().waitFor();
        assert.equal(await page.getByLabel("Password", { exact: true }).getAttribute("aria-invalid"), "true");
        assert.equal(await kept(page), null);
    }));

test("an access token that is over, or nearly, is renewed with the next request, and nobody notices", () =>
    visit({}, async (page) => {
        await logIn(page, await server.addUser());
        const first = await kept(page);
        const later = async (change) => {
            await page.evaluate((to) => sessionStorage.setItem("postern.session", JSON.stringify(to)), { ...(await kept(page)), ...change });
            await page.reload();
            await page.getByText("Logged in as").waitFor();
        };
        await later({ until: Date.now() + 1_000 });
        assert.equal(await tryOut(page, "getTokenOwner"), "200");
        const second = await kept(page);
        assert.notEqual(second.access, first.access);

        const refused = `${second.access.slice(0, -4)}AAAA`;
        await later({ access: refused });
        assert.equal(await tryOut(page, "getTokenOwner"), "200");
        assert.notEqual((await kept(page)).access, refused);
    }));

test("a session that somebody ended is told, and forgotten", () =>
    visit({}, async (page) => {
        const user = await server.addUser();
        await logIn(page, user);
        await server.command(["session", "end", "--user", user, "--device", (await kept(page)).device]);
        assert.equal(await tryOut(page, "getTokenOwner"), "401");
        await page.getByText("The session has ended").first().waitFor();
        await page.getByLabel("User", { exact: true }).waitFor();
        assert.equal(await kept(page), null);
    }));

test("a logout that is tried out ends the page's session too", () =>
    visit({}, async (page) => {
        const user = await server.addUser();
        await logIn(page, user);
        assert.equal(await tryOut(page, "logout"), "200");
        await page.getByText("Logged out.").waitFor();
        assert.deepEqual(await server.sessions(user), []);
        assert.ok(await operation(page, "logout").isVisible());
    }));

test("what a person typed, and the tokens, are in no log", () =>
    visit({}, async (page) => {
        await logIn(page, await server.addUser());
        const { access, refresh } = await kept(page);
        await page.getByRole("button", { name: "Use my session's token" }).click();
        await page.getByText("The signature holds").waitFor();
        const log = server.log.join("\n");
        for (const secret of [access, refresh]) assert.ok(!log.includes(secret));
    }));
