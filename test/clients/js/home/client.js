// One person with an encrypting client, as a process of its own: matrix-js-sdk with its Rust crypto. The client lives through all that
// happens to the servers behind its address. Its keys are in a store that outlives a soft logout, as in a browser.
import "fake-indexeddb/auto";
import { setTimeout as sleep } from "node:timers/promises";
import { ClientEvent, HttpApiEvent, InteractiveAuth, MatrixEventEvent, OAuth2, RoomEvent, createClient } from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

import { silent } from "../network.js";
import { obey } from "./obey.js";

logger.setLevel("silent", false);

const patience = 60_000;

let base, user, password, client, session;
let oauth, redirect; // of a session that was begun by the OAuth 2.0 API
let stages, replaced; // of cross-signing keys that are being replaced
const loggedOut = []; // what the client was told of the end of its session
const read = new Map(); // room id → texts that could be decrypted
const states = [];

const identifier = () => ({ type: "m.id.user", user });

const commands = {
    /** Logs in on a new device, and begins to sync. */
    async login({ base: at, user: name, password: secret }) {
        [base, user, password] = [at, name, secret];
        session = await request("POST", "login", {
            type: "m.login.password", identifier: identifier(), password, refresh_token: true,
        });
        await open();
        return { user_id: session.user_id, device_id: session.device_id };
    },

    /** Registers the application, and gives where it sends its user to sign in: on a new device, or on the one that there is. */
    async authorize({ base: at, user: name, redirect: home }) {
        client?.stopClient(); // its page is left
        [base, user, redirect] = [at, name, home];
        const found = await createClient({ baseUrl: base, logger: silent }).getAuthMetadata();
        const app = { client_name: "An encrypting app", client_uri: home, application_type: "web", redirect_uris: [home] };
        const clientId = await OAuth2.registerClient(found, app, silent);
        oauth = new OAuth2(found, { clientId, deviceId: session?.device_id }, silent);
        return { url: await oauth.generateAuthorizationCodeGrantUrl("state", redirect) };
    },

    /** Gets its session for the code in the address that the user came back to, and begins to sync. */
    async redeem({ to }) {
        const code = new URLSearchParams(new URL(to).hash.slice(1)).get("code");
        session = await oauth.completeAuthorizationCodeGrant(code, redirect);
        Object.assign(session, await request("GET", "account/whoami", undefined, session.access_token));
        await open();
        return { user_id: session.user_id, device_id: session.device_id };
    },

    /** Makes an encrypted room. */
    async room({ invite }) {
        const { room_id } = await client.createRoom({
            invite, preset: "private_chat",
            initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
        });
        return { room_id };
    },

    async join({ room }) {
        await client.joinRoom(room);
        return {};
    },

    /** Knows the room as encrypted, and so many in it. */
    async knows({ room, members }) {
        await until("the room", () => client.getRoom(room)?.hasEncryptionStateEvent()
            && client.getRoom(room).getJoinedMemberCount() === members);
        return {};
    },

    async send({ room, text }) {
        const { event_id } = await client.sendTextMessage(room, text);
        const event = client.getRoom(room).findEventById(event_id);
        return { event_id, encrypted: event === undefined || event.isEncrypted() };
    },

    /** Waits until a text has come and been decrypted. */
    async reads({ room, text }) {
        await until(`"${text}"`, () => read.get(room)?.has(text));
        return {};
    },

    /** Exchanges the refresh token. */
    async refresh() {
        await renew(session.refresh_token);
        return {};
    },

    /** Asks for the same exchange twice, as two tabs or a lost answer do, and gives how many pairs came of it. */
    async refreshTwice() {
        const token = session.refresh_token;
        const pairs = [await request("POST", "refresh", { refresh_token: token }), await request("POST", "refresh", { refresh_token: token })];
        adopt(pairs[1]);
        return { pairs: new Set(pairs.map((p) => p.access_token + p.refresh_token)).size };
    },

    async whoami() {
        return client.whoami();
    },

    /** Logs in again on the same device, as after a soft logout, with the same keys. */
    async again() {
        adopt(await request("POST", "login", {
            type: "m.login.password", identifier: identifier(), password, device_id: session.device_id, refresh_token: true,
        }));
        client.stopClient(); // as after a soft logout: another client with the same keys
        loggedOut.length = 0;
        await open();
        return { device_id: session.device_id };
    },

    /** Presents a refresh token long after its successor was used, as a thief would, or who was robbed. */
    async replay() {
        const old = session.refresh_token;
        for (let i = 0; i < 2; i++) {
            await renew(session.refresh_token);
            await client.whoami();
        }
        await request("POST", "refresh", { refresh_token: old }).catch(() => {});
        return {};
    },

    /** Waits until the client was told that its session has ended, and gives how; then that is history. */
    async told() {
        await until("the end of the session", () => loggedOut.length > 0);
        const [first] = loggedOut.splice(0);
        client.stopClient();
        return { soft: first.soft_logout === true, errcode: first.errcode };
    },

    async device() {
        return { device_id: session.device_id };
    },

    /** What the device's keys are to the server, and to itself. */
    async keys() {
        const own = await client.getCrypto().getOwnDeviceKeys();
        const { device_keys } = await client.downloadKeysForUsers([session.user_id]); // by the sdk, which refreshes
        const theirs = device_keys[session.user_id]?.[session.device_id];
        const name = theirs?.unsigned?.device_display_name ?? "";
        return { own: own.ed25519, server: theirs?.keys?.[`ed25519:${session.device_id}`] ?? "", name };
    },

    /** Makes new cross-signing keys, as who has lost the old ones does, and proves it with the password. */
    async reset() {
        let asked = 0;
        await client.getCrypto().bootstrapCrossSigning({
            setupNewCrossSigning: true,
            authUploadDeviceSigningKeys: async (makeRequest) => {
                try {
                    return await makeRequest(null);
                } catch (error) {
                    asked = error.httpStatus;
                    return makeRequest({ type: "m.login.password", identifier: identifier(), password, session: error.data?.session });
                }
            },
        });
        return { asked };
    },

    /** Begins to make new cross-signing keys, and gives the stage that the server asks for and where its user has to go. */
    async replace() {
        return new Promise((resolve, reject) => {
            replaced = client.getCrypto().bootstrapCrossSigning({
                setupNewCrossSigning: true,
                authUploadDeviceSigningKeys: (doRequest) => {
                    stages = new InteractiveAuth({
                        matrixClient: client, doRequest,
                        stateUpdated: (stage) => resolve({ stage, ...stages.getStageParams(stage) }),
                    });
                    return stages.attemptAuth();
                },
            });
            replaced.catch(reject);
        });
    },

    /** Goes on with that once the user has been there. */
    async replaced() {
        stages.poll();
        await replaced;
        return {};
    },

    /** The devices of somebody whose keys the server has. */
    async devices({ of }) {
        const { device_keys } = await client.downloadKeysForUsers([of]);
        return { devices: Object.keys(device_keys[of] ?? {}) };
    },

    async signing() {
        const { master_keys } = await client.downloadKeysForUsers([session.user_id]);
        return { master: Object.keys(master_keys?.[session.user_id]?.keys ?? {})[0] ?? "" };
    },

    /** What has happened to the session so far. */
    async story() {
        return { loggedOut, state: client.getSyncState(), states: states.slice(-10) };
    },

    /** Waits for a sync that ends after now, whatever was in the way. */
    async syncs() {
        client.retryImmediately();
        const before = states.length;
        await until("a sync", () => states.slice(before).includes("SYNCING"), 5_000);
        return {};
    },

    async logout() {
        await client.logout(true);
        return {};
    },
};

/** Begins to sync with the session and the keys that there are. */
async function open() {
    client = createClient({
        baseUrl: base, userId: session.user_id, deviceId: session.device_id, accessToken: session.access_token, logger: silent,
        ...(oauth && { refreshToken: session.refresh_token, oauthClientId: oauth.context.clientId, onTokenRefresh: keep }),
    });
    client.on(HttpApiEvent.SessionLoggedOut, (error) => loggedOut.push(error.data ?? String(error)));
    client.on(ClientEvent.Sync, (state) => states.push(state));
    client.on(RoomEvent.Timeline, see);
    renewInTime();
    await client.initRustCrypto({ cryptoDatabasePrefix: user });
    await client.startClient();
    await until("a first sync", () => client.isInitialSyncComplete());
}

/** Keeps the pair that the sdk has got by itself, which it does at the OAuth 2.0 API. */
function keep({ accessToken, refreshToken }) {
    Object.assign(session, { access_token: accessToken, refresh_token: refreshToken });
}

/** Exchanges a refresh token of the legacy API: this sdk leaves that to the application. */
async function renew(refreshToken) {
    adopt(await request("POST", "refresh", { refresh_token: refreshToken }));
}

let timer;

/** Renews when four fifths of the access token's life are over, and tries again each second while nobody answers. */
function renewInTime(after = (session.expires_in_ms ?? Infinity) * 0.8) {
    clearTimeout(timer);
    if (after === Infinity) return;
    timer = setTimeout(() => renew(session.refresh_token).catch((error) => {
        if (error.httpStatus !== 401) renewInTime(1000);
    }), after);
}

/** Takes a new pair over; what a refresh leaves out stays as it was, but for the expiry. */
function adopt(pair) {
    session = { ...session, expires_in_ms: undefined, ...pair };
    client?.setAccessToken(session.access_token);
    renewInTime();
}

async function request(method, path, body, token) {
    const response = await fetch(`${base}/_matrix/client/v3/${path}`, {
        method, body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    });
    const answer = await response.json();
    if (!response.ok) {
        throw Object.assign(new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`), { httpStatus: response.status, data: answer });
    }
    return answer;
}

function see(event, room) {
    const note = () => {
        const text = event.getContent()?.body;
        if (event.isEncrypted() && !event.isDecryptionFailure() && text) {
            if (!read.has(room.roomId)) read.set(room.roomId, new Set());
            read.get(room.roomId).add(text);
        }
    };
    event.on(MatrixEventEvent.Decrypted, note);
    note();
}

async function until(what, holds, nudge) {
    for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) {
        if (holds()) return;
    }
    throw new Error(`${what} did not come; the sync is ${client.getSyncState()}, was ${states.slice(-5)}; logged out: ${JSON.stringify(loggedOut)}`);
}

await obey(commands);
