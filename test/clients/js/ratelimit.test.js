import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { logIn, Tab } from "./client.js";
import { proof } from "./interactive.js";
import { refused } from "./network.js";
import { serverFor } from "./server.js";

const server = serverFor("--rate-limit", "3/3s", "--registration", "open");

/** Logs in, and where it has to, waits as long as the sdk reads from the answer. */
async function patientLogIn(more) {
    for (;;) {
        try {
            return await logIn(server, more);
        } catch (error) {
            if (!error.isRateLimitError?.()) throw error;
            await setTimeout(error.getRetryAfterMs());
        }
    }
}

/** Tries until there have been too many attempts, and gives that error. */
async function exhaust(user) {
    for (let i = 0; i < 20; i++) {
        const error = await logIn(server, { user, password: "wrong" }).catch((error) => error);
        if (error.errcode !== "M_FORBIDDEN") return error;
    }
    return assert.fail("twenty attempts were let through");
}

test("too many logins are M_LIMIT_EXCEEDED, and the sdk reads how long to wait", async () => {
    const error = await exhaust(await server.addUser());
    assert.equal(`${error.httpStatus} ${error.errcode}`, "429 M_LIMIT_EXCEEDED");
    assert.ok(error.isRateLimitError());
    assert.ok(error.getRetryAfterMs() > 0 && error.getRetryAfterMs() <= 3000, String(error.getRetryAfterMs()));
    assert.ok(error.data.retry_after_ms > 0 && error.data.retry_after_ms <= error.getRetryAfterMs());
});

test("whoever waits as long as told logs in", async () => {
    const user = await server.addUser();
    const error = await exhaust(user);
    await setTimeout(error.getRetryAfterMs());
    await (await logIn(server, { user })).whoami();
});

test("guessing passwords does not keep a session from renewing", async () => {
    const tab = await patientLogIn();
    await exhaust(tab.user);
    await tab.refresh();
    await tab.whoami();
});

test("too many refreshes log nobody out, and the refresh token stays good", async () => {
    const tab = await patientLogIn();
    let error;
    while (!error) error = await tab.refresh().then(() => undefined, (error) => error);
    assert.equal(error.errcode, "M_LIMIT_EXCEEDED");
    await tab.whoami();
    await setTimeout(error.getRetryAfterMs());
    await tab.refresh();
    assert.deepEqual(tab.loggedOut, []);
});

test("an unknown account is limited like a known one", async () => {
    const error = await exhaust("nobody");
    assert.equal(error.errcode, "M_LIMIT_EXCEEDED");
    await refused(new Tab(server).whoami(), 401, "M_MISSING_TOKEN"); // and nothing else is
});

test("guessing in user-interactive authentication is limited like a login, and logs nobody out", async () => {
    const tab = await patientLogIn();
    const guess = () => tab.client.deleteDevice("NONE", proof(tab, undefined, "wrong")).catch((error) => error);
    let error;
    do error = await guess();
    while (error.errcode === "M_FORBIDDEN");
    assert.equal(error.errcode, "M_LIMIT_EXCEEDED");
    assert.ok(error.getRetryAfterMs() > 0);
    await tab.whoami();
    assert.deepEqual(tab.loggedOut, []);
    await setTimeout(error.getRetryAfterMs());
    assert.equal((await guess()).errcode, "M_FORBIDDEN");
});

test("asking about names is limited too", async () => {
    const { client } = new Tab(server);
    let error;
    for (let i = 0; i < 20 && !error; i++) error = await client.isUsernameAvailable(`name${i}`).then(() => undefined, (error) => error);
    assert.equal(error.errcode, "M_LIMIT_EXCEEDED");
});
