// The page of a stage: whoever is sent its address reads whose account, what and which device it is about, on any screen, and needs
// no script to answer.
import assert from "node:assert/strict";
import { test } from "node:test";

import { accessible, fits, lab, password, schemes, sizes } from "./page.js";

const { server, visit } = lab();

async function ask(path, body, token) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(`${server.url}/_matrix/client/v3/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, ...(await answer.json()) };
}

/** An account with two devices, one of which has begun to change the password; and the page for it. */
async function begun() {
    const user = await server.addUser();
    const logIn = (device_id, initial_device_display_name) =>
        ask("login", { type: "m.login.password", identifier: { type: "m.id.user", user }, password, device_id, initial_device_display_name });
    await logIn("PHONE", "Element X on a phone with a very long name ".repeat(4));
    const { access_token: token } = await logIn("LAPTOP", "Firefox <on> Linux");
    const change = (auth) => ask("account/password", { new_password: "quite another staple", auth }, token);
    const { session } = await change();
    return { user, change: () => change({ session }), path: `/_matrix/client/v3/auth/m.login.password/fallback/web?session=${session}` };
}

for (const size of Object.keys(sizes)) {
    for (const scheme of schemes) {
        test(`${size}, ${scheme}: it says who, what and which device, fits, and axe finds nothing`, async () => {
            const { user, path } = await begun();
            await visit({ size, scheme, path }, async (page) => {
                for (const words of [`@${user}:localhost`, "The password of the account is replaced", "PHONE", "Firefox <on> Linux", "LAPTOP"]) {
                    await page.getByText(words).first().waitFor();
                }
                await fits(page, size);
                await accessible(page, size);
                const [said, asked] = await Promise.all(
                    [page.getByText("LAPTOP"), page.getByLabel("Password")].map((element) => element.boundingBox()),
                );
                assert.ok(said.y < asked.y, "the password is asked for before it is said what for");
            });
        });
    }
}

test("without scripts a wrong password is told, and the right one lets the app go on", async () => {
    const { change, path } = await begun();
    await visit({ path, scripts: false }, async (page) => {
        assert.equal((await change()).status, 401);
        await page.getByLabel("Password").fill("wrong");
        await page.getByRole("button", { name: "Continue" }).click();
        await page.getByRole("alert").filter({ hasText: "Wrong password." }).waitFor();
        await page.getByText("LAPTOP").waitFor();
        await page.getByLabel("Password").fill(password);
        await page.keyboard.press("Enter");
        await page.getByText("That is done.").waitFor();
        assert.equal((await change()).status, 200);
    });
});
