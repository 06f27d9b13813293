// Registration in two stages, and the web pages for clients that do not know a stage.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Tab } from "./client.js";
import { authenticate, challenged, elsewhere, stages } from "./interactive.js";
import { password, serverFor } from "./server.js";

const url = "https://example.org/terms";
const server = serverFor("--registration", "token", "--terms-url", url);
const [byToken, terms] = ["m.login.registration_token", "m.login.terms"];

const register = (body) => new Tab(server).client.registerRequest({ password, ...body });

/** Begins a registration and gives its session. */
const begin = async (more = {}) => challenged(register({ username: server.newName(), ...more }));
const pageOf = (stage, session) => new Tab(server).client.getFallbackAuthUrl(stage, session);

async function page(stage, session, form) {
    const response = await fetch(pageOf(stage, session), form && { method: "POST", body: new URLSearchParams(form) });
    return { status: response.status, type: response.headers.get("content-type"), html: await response.text() };
}

test("the flow has two stages, and the terms tell where they are", async () => {
    const answer = await begin();
    assert.deepEqual(stages(answer), [[byToken, terms]]);
    assert.equal(answer.params[terms].policies.terms_of_service.en.url, url);
});

test("the sdk goes through both", async () => {
    const [tab, token, username, asked] = [new Tab(server), await server.invite(), server.newName(), []];
    const request = (auth) => tab.client.registerRequest({ username, password, auth: auth ?? undefined });
    const session = await authenticate(tab, { [byToken]: [{ token }], [terms]: [{}] }, request, asked);
    assert.deepEqual(asked, [byToken, terms]);
    assert.equal((await new Tab(server, session).whoami()).user_id, `@${username}:localhost`);
});

test("the sdk goes on when a stage was completed on its page", async () => {
    const [tab, token, username] = [new Tab(server), await server.invite(), server.newName()];
    const request = (auth) => tab.client.registerRequest({ username, password, auth: auth ?? undefined });
    const session = await authenticate(tab, { [byToken]: [{ token }], [terms]: [elsewhere] }, request);
    assert.equal(session.user_id, `@${username}:localhost`);
    assert.deepEqual(tab.network.seen.map(({ status }) => status), [401, 401, 200]);
});

test("one stage alone is not enough, in either order", async () => {
    const token = await server.invite("--uses", "2");
    const entries = [{ type: byToken, token }, { type: terms }];
    for (const [first, second] of [entries, entries.toReversed()]) {
        const { session } = await begin();
        const { completed } = await challenged(register({ auth: { ...first, session } }));
        assert.deepEqual(completed, [first.type]);
        await challenged(register({ auth: { ...first, session } }));
        assert.ok((await register({ auth: { ...second, session } })).access_token);
    }
});

test("what came with the first request is used at the end", async () => {
    const token = await server.invite();
    const username = server.newName();
    const { session } = await begin({ username, device_id: "PHONE", initial_device_display_name: "Pocket", refresh_token: true });
    await challenged(new Tab(server).client.registerRequest({ auth: { type: byToken, token, session } }));
    const tab = new Tab(server, await new Tab(server).client.registerRequest({ auth: { type: terms, session } }));
    assert.deepEqual([tab.userId, tab.deviceId], [`@${username}:localhost`, "PHONE"]);
    assert.equal((await tab.client.getDevice("PHONE")).display_name, "Pocket");
    await tab.refresh();
});

test("a use is reserved while the registration runs", async () => {
    const token = await server.invite();
    const [first, second] = [await begin(), await begin()];
    await challenged(register({ auth: { type: byToken, token, session: first.session } }));
    assert.equal((await server.invited(token)).RESERVED, "1");
    const late = await challenged(register({ auth: { type: byToken, token, session: second.session } }));
    assert.equal(late.errcode, "M_UNAUTHORIZED");
    await register({ auth: { type: terms, session: first.session } });
    const { USED, RESERVED } = await server.invited(token);
    assert.deepEqual([USED, RESERVED], ["1", "0"]);
});

test("both stages on their pages, and then the session alone", async () => {
    const token = await server.invite();
    const username = server.newName();
    const { session } = await begin({ username });
    for (const [stage, form] of [[byToken, { token }], [terms, {}]]) {
        const shown = await page(stage, session);
        assert.deepEqual([shown.status, shown.type], [200, "text/html"]);
        assert.match(shown.html, /<form method="post">/);
        await challenged(register({ auth: { session } }));
        const done = await page(stage, session, form);
        assert.equal(done.status, 200);
        assert.match(done.html, /onAuthDone\(\).*postMessage\("authDone"/s);
        assert.doesNotMatch((await page(stage, session)).html, /<form/);
    }
    assert.equal((await register({ auth: { session } })).user_id, `@${username}:localhost`);
});

test("the page of the terms links to them", async () => {
    const { session } = await begin();
    assert.match((await page(terms, session)).html, new RegExp(`href="${url}"`));
});

test("a wrong token on the page: it says so, and nothing is completed", async () => {
    const { session } = await begin();
    const wrong = await page(byToken, session, { token: '"><b>wrong' });
    assert.equal(wrong.status, 403);
    assert.match(wrong.html, /role="alert"/);
    assert.doesNotMatch(wrong.html, /<b>/);
    assert.equal((await challenged(register({ auth: { session } }))).completed, undefined);
});

test("there is no page for another stage or another session", async () => {
    const { session } = await begin();
    assert.equal((await page("m.login.password", session)).status, 404);
    assert.equal((await page(terms, "made-up")).status, 404);
    assert.equal((await page(terms, "made-up", {})).status, 404);
});

test("finishing twice gives the same user and device", async () => {
    const { session } = await begin();
    await challenged(register({ auth: { type: byToken, token: await server.invite(), session } }));
    const finish = () => register({ auth: { type: terms, session } });
    const [one, two] = [await finish(), await finish()];
    assert.deepEqual([two.user_id, two.device_id], [one.user_id, one.device_id]);
    await new Tab(server, two).whoami();
});
