// A whole client on a server that implements a tenth of the API: the rest answers from the published spec. It must come as far as
// syncing, with a session that is real. The requests are recorded, and the recording is held against the spec.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ClientEvent, SyncState } from "matrix-js-sdk";

import { logIn } from "./client.js";
import { password, serverFor } from "./server.js";

const shared = process.env.POSTERN_SHARED ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const spec = join(shared, "matrix-spec", "client-server");
const absent = !existsSync(spec) && "Matrix's published API is not there; POSTERN_SHARED names the folder that has matrix-spec";
const server = absent ? undefined : serverFor("--spec", spec);
const recording = absent ? "" : join(server.folder, "session.har");
server?.flags.push("--record", recording);

// The sdk forgets a timer of 110 s behind each /sync, for which Node would wait at the end.
const start = globalThis.setTimeout;
globalThis.setTimeout = (...args) => start(...args).unref();

/** Resolves when the client has come to a state of syncing. */
function reaches(client, wanted) {
    return new Promise((resolve, reject) => {
        client.on(ClientEvent.Sync, (state, _, data) => {
            if (state === wanted) resolve();
            if (state === SyncState.Error) reject(data?.error ?? new Error("the client cannot sync"));
        });
    });
}

test("a client starts and syncs against the whole API", { skip: absent }, async () => {
    const tab = await logIn(server);
    const syncing = reaches(tab.client, SyncState.Syncing);
    try {
        await tab.client.startClient();
        await syncing;
    } finally {
        tab.client.stopClient();
    }
    assert.equal((await tab.whoami()).user_id, tab.userId, "the session is real");
    assert.ok((await tab.refresh()).access_token, "and can be renewed");
});

test("what the spec answers needs a session, and a logout ends it", { skip: absent }, async () => {
    const { client } = await logIn(server);
    const { joined_rooms: rooms } = await client.getJoinedRooms();
    assert.ok(rooms.length > 0, "from the spec's example");
    await client.logout();
    await assert.rejects(client.getJoinedRooms(), { errcode: "M_UNKNOWN_TOKEN" });
});

test("the recording has what the client asked, and no secret; it names what the spec does not have", { skip: absent }, async () => {
    const { client, session } = await logIn(server);
    await assert.rejects(client.http.authedRequest("GET", "/rooms/!a:b.c/novelty"), { errcode: "M_UNRECOGNIZED" });
    let text = "";
    while (!/novelty.*\n\]\}\}\n$/.test(text)) { // an entry is made after its answer
        await setTimeout(10);
        text = readFileSync(recording, "utf8");
    }
    const called = JSON.parse(text).log.entries.map(({ request, response, _postern: { operation, answeredBy } }) =>
        [operation ?? new URL(request.url).pathname, answeredBy, response.status].join(" "));
    for (const call of ["login real 200", "sync spec 200", "defineFilter spec 200", "/_matrix/client/v3/rooms/!a:b.c/novelty real 404"]) {
        assert.ok(called.includes(call), `no ${call} in ${called.join("\n")}`);
    }
    for (const secret of [password, session.access_token, session.refresh_token]) assert.ok(!text.includes(secret), secret);
    const listed = await server.specCalls(recording, spec);
    assert.equal(listed.code, 1);
    assert.match(listed.stdout, /^  GET \/_matrix\/client\/v3\/rooms\/\{\}\/novelty  once, answered 404$/m);
    assert.doesNotMatch(listed.stdout, /\/sync|\/login|\/keys/);
});
