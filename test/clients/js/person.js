// A person at the pages of the OAuth 2.0 API, without a browser: reads the page, fills the form in, and follows the answer.
import assert from "node:assert/strict";

import { password } from "./server.js";

/** Opens the address that an application sends a person to, does what the page offers, and gives where the browser is sent then. */
export async function visit(url, fields) {
    const page = await fetch(url);
    const html = await page.text();
    assert.equal(page.status, 200, html);
    const [, form] = html.match(/name="form" value="([^"]+)"/);
    const [cookie] = page.headers.getSetCookie();
    const answer = await fetch(url, {
        method: "POST",
        redirect: "manual",
        headers: { cookie: cookie.split(";")[0] },
        body: new URLSearchParams({ form, ...fields }),
    });
    assert.equal(answer.status, 303, await answer.text());
    return new URL(answer.headers.get("location"));
}

export const signIn = (url, user) => visit(url, { user, password, do: "sign in" });
