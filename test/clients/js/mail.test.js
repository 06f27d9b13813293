// Mail addresses: to register with one, to add and remove them, and to reset a password by one. The mails go through a
// real SMTP server (aiosmtpd, see test/rig/smtp). Where it is not installed the tests are skipped, and fail with
// TEST_SMTP=required.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";

import { InteractiveAuth } from "matrix-js-sdk";

import { readable } from "../../browser/smtp.js";
import { logIn, Tab } from "./client.js";
import { challenged, proof } from "./interactive.js";
import { refused } from "./network.js";
import { oauthServerFor, password } from "./server.js";

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "postern-test");
const folder = existsSync(cache) && readdirSync(cache).find((name) => name.startsWith("aiosmtpd-"));
const skip = folder || process.env.TEST_SMTP === "required" ? false : "no SMTP server: test/rig/smtp/install";

/** The mail server. */
const post = { mails: [], arrivals: [] };
const flags = ["--registration", "open"];

if (!skip) {
    const program = new URL("../../rig/smtp/server.py", import.meta.url).pathname;
    const args = [program, "none", "", "", "", ""];
    post.process = spawn(join(cache, folder, "bin", "python"), args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: post.process.stdout });
    const [first] = await once(lines, "line");
    lines.on("line", (line) => {
        post.mails.push(JSON.parse(line));
        post.arrivals.splice(0).forEach((arrived) => arrived());
    });
    flags.push("--mail-from", "postern@example.org", "--smtp-url", `smtp://127.0.0.1:${JSON.parse(first).port}?starttls=off`);
}
const server = oauthServerFor(...flags);
after(async () => {
    if (!post.process) return;
    post.process.kill("SIGKILL");
    await once(post.process, "exit");
});
let secrets = 0;

/** The text of a mail to an address, the nth of all that it gets, as its reader sees it. */
async function mailTo(address, nth = 0) {
    for (;;) {
        const mail = post.mails.filter(({ to }) => to.includes(address))[nth];
        if (mail) return readable(mail.mail);
        await new Promise((arrived) => post.arrivals.push(arrived));
    }
}

/** Follows the link of a mail and presses the button of its page, as somebody without a script does. */
async function follow(mail) {
    const [link] = mail.match(/http:\S+\/oauth2\/email\?[^\s"<]+/);
    const page = await fetch(link);
    const [, form] = (await page.text()).match(/name="form" value="([^"]+)"/);
    const cookie = page.headers.getSetCookie().map((text) => text.split(";")[0]).join("; ");
    const done = await fetch(link, { method: "POST", headers: { cookie }, body: new URLSearchParams({ form, do: "confirm" }) });
    assert.match(await done.text(), /Confirmed/);
}

const creds = (sid, client_secret) => ({ type: "m.login.email.identity", threepid_creds: { sid, client_secret } });
const byEmail = (address, word) => ({ type: "m.login.password", identifier: { type: "m.id.thirdparty", medium: "email", address }, password: word });

/** Adds an address to the account of a window. */
async function add(tab, address) {
    const secret = `secret${++secrets}`;
    const { sid } = await tab.client.requestAdd3pidEmailToken(address, secret, 1);
    await follow(await mailTo(address));
    const request = { sid, client_secret: secret };
    const { session } = await challenged(tab.client.addThreePidOnly(request));
    await tab.client.addThreePidOnly({ ...request, auth: proof(tab, session) });
}

test("registerRequest by InteractiveAuth, which polls until the link in the mail was followed", { skip }, async () => {
    const { client } = new Tab(server);
    const username = server.newName();
    const secret = client.generateClientSecret();
    const states = [];
    const auth = new InteractiveAuth({
        matrixClient: client,
        doRequest: (data) => client.registerRequest({ username, password, auth: data ?? undefined }),
        inputs: { emailAddress: "Carol@example.org" },
        clientSecret: secret,
        requestEmailToken: (address, clientSecret, attempt) => client.requestRegisterEmailToken(address, clientSecret, attempt),
        stateUpdated: (stage, { errcode }) => states.push([stage, errcode]),
    });
    const polling = setInterval(() => auth.poll(), 100); // as an application does
    const registered = auth.attemptAuth();
    const mail = await mailTo("carol@example.org");
    while (states.length < 3) await new Promise((later) => setTimeout(later, 50));
    await follow(mail);
    assert.equal((await registered).user_id, `@${username}:localhost`);
    clearInterval(polling);
    assert.ok(states.every(([stage, errcode]) => stage === "m.login.email.identity" && !errcode), JSON.stringify(states));
    const session = await client.loginRequest(byEmail("CAROL@example.org", password));
    const { threepids } = await new Tab(server, session).client.getThreePids();
    assert.deepEqual(threepids.map(({ medium, address }) => [medium, address]), [["email", "carol@example.org"]]);
});

test("addThreePidOnly, getThreePids and deleteThreePid", { skip }, async () => {
    const tab = await logIn(server);
    assert.deepEqual(await tab.client.getThreePids(), { threepids: [] });
    assert.ok((await tab.client.getCapabilities())["m.3pid_changes"].enabled);
    await add(tab, "dave@example.org");
    const [{ address, validated_at, added_at }] = (await tab.client.getThreePids()).threepids;
    assert.equal(address, "dave@example.org");
    assert.ok(validated_at > Date.now() - 3600_000 && added_at >= validated_at);
    assert.deepEqual(await tab.client.deleteThreePid("email", "Dave@example.org"), { id_server_unbind_result: "no-support" });
    assert.deepEqual(await tab.client.getThreePids(), { threepids: [] });
});

test("setPassword by mail, for somebody who is logged in nowhere", { skip }, async () => {
    const tab = await logIn(server);
    await add(tab, "erin@example.org");
    const { client } = new Tab(server);
    const secret = client.generateClientSecret();
    const { sid } = await client.requestPasswordEmailToken("erin@example.org", secret, 1);
    const early = await challenged(client.setPassword(creds(sid, secret), "another long password"));
    assert.equal(early.errcode, undefined);
    for (let nth = 0; ; nth++) {
        const mail = await mailTo("erin@example.org", nth);
        if (/Subject: An app asks to set a new password/.test(mail)) {
            await follow(mail);
            break;
        }
    }
    assert.deepEqual(await client.setPassword(creds(sid, secret), "another long password"), {});
    await refused(tab.whoami(), 401, "M_UNKNOWN_TOKEN");
    await refused(client.loginRequest(byEmail("erin@example.org", password)), 403, "M_FORBIDDEN");
    await client.loginRequest(byEmail("erin@example.org", "another long password"));
    await refused(client.setPassword(creds(sid, secret), "a third password"), 403, "M_FORBIDDEN");
});

test("an address that is known is told by its mail alone", { skip }, async () => {
    const tab = await logIn(server);
    await add(tab, "frank@example.org");
    const { client } = new Tab(server);
    const known = await client.requestRegisterEmailToken("frank@example.org", "s", 1);
    const unknown = await client.requestPasswordEmailToken("nobody@example.org", "s", 1);
    assert.deepEqual(Object.keys(known), Object.keys(unknown));
    for (let nth = 1; !/There is an account on localhost already/.test(await mailTo("frank@example.org", nth)); nth++);
});
