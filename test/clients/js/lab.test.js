// A whole client on a server that implements a tenth of the API: the rest answers from the published spec. It must come as far as
// syncing, with a session that is real.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { test } from "node:test";
import { ClientEvent, SyncState } from "matrix-js-sdk";

import { logIn } from "./client.js";
import { serverFor } from "./server.js";

const shared = process.env.POSTERN_SHARED ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const spec = join(shared, "matrix-spec", "client-server");
const absent = !existsSync(spec) && "Matrix's published API is not there; POSTERN_SHARED names the folder that has matrix-spec";
const server = absent ? undefined : serverFor("--spec", spec);

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
