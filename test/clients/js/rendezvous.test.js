// Two devices that link each other by a QR code, as matrix-js-sdk 43 does it: its mailbox, its secure channel, its code.
import assert from "node:assert/strict";
import { test } from "node:test";
import { initAsync, QrCodeData, QrCodeIntent } from "@matrix-org/matrix-sdk-crypto-wasm";
import { createClient } from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import { MSC4108SecureChannel } from "matrix-js-sdk/lib/rendezvous/channels/index.js";
import { MSC4108RendezvousSession } from "matrix-js-sdk/lib/rendezvous/transports/index.js";

import { silent } from "./network.js";
import { oauthServerFor } from "./server.js";

logger.setLevel("silent", false);
const server = oauthServerFor();

/** A device that shows a code, and why its mailbox failed. */
async function shows() {
    const failures = [];
    const client = createClient({ baseUrl: server.url, logger: silent });
    const mailbox = new MSC4108RendezvousSession({ client, onFailure: (reason) => failures.push(reason) });
    await mailbox.send(""); // finds the server's rendezvous in GET /versions
    const channel = new MSC4108SecureChannel(mailbox);
    return { failures, channel, code: await channel.generateCode(QrCodeIntent.Login) };
}

/** The other device, which has scanned it. */
function scans(code) {
    const failures = [];
    const { rendezvousUrl: url, publicKey } = QrCodeData.fromBytes(code);
    const mailbox = new MSC4108RendezvousSession({ url, onFailure: (reason) => failures.push(reason) });
    return { failures, channel: new MSC4108SecureChannel(mailbox, publicKey) };
}

test("two devices find each other by the code, and talk in secret", async () => {
    await initAsync();
    const shown = await shows();
    const scanned = scans(shown.code);
    await Promise.all([shown.channel.connect(), scanned.channel.connect()]);
    assert.equal(shown.channel.getCheckCode(), scanned.channel.getCheckCode());
    for (const [from, to] of [[scanned, shown], [shown, scanned], [scanned, shown]]) {
        const message = { type: "m.login.protocols", protocols: ["device_authorization_grant"], x: "ä".repeat(500) };
        await from.channel.secureSend(message);
        assert.deepEqual(await to.channel.secureReceive(), message);
    }
    await scanned.channel.close();
    assert.equal(await shown.channel.secureReceive(), undefined);
    assert.deepEqual([shown.failures, scanned.failures], [["unknown"], []]);
});
