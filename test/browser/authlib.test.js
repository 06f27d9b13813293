// Authlib, the OAuth 2.0 library of Python, in a process of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { setTimeout } from "node:timers/promises";

import { newDevice, prove, scope } from "./proof.js";

let python;
let asked = 0;
const waiting = new Map();

/** Has the process do something, and gives what it says. */
function ask(app, work, values) {
    const number = ++asked;
    python.stdin.write(`${JSON.stringify({ number, app, do: work, ...values })}\n`);
    return new Promise((resolve, reject) => {
        waiting.set(number, ({ said, ...error }) => (said === undefined ? reject(Object.assign(new Error(error.failed), error)) : resolve(said)));
    });
}

class App {
    static made = 0;
    number = ++App.made;
    device = newDevice();
    do = (work, values) => ask(this.number, work, values);

    static async register(base, metadata) {
        const app = new App();
        await app.do("register", { issuer: `${base}/`, metadata });
        return app;
    }

    begin = (values) => this.do("begin", { ...values, scope: scope(this.device) });

    /** The library reads a query; what is in a fragment never reaches a server, so a page hands it on as one. */
    async finish(at) {
        const answer = new URLSearchParams(at.hash.slice(1) || at.search);
        if (answer.has("error")) throw Object.fromEntries(answer);
        return pairOf(await this.do("finish", { url: at.href.replace("#", "?") }));
    }

    refresh = async (token) => pairOf(await this.do("refresh", { token }));
    revoke = (token, hint) => this.do("revoke", { token, hint });
    ask = () => this.do("device", { scope: scope(this.device) });

    async wait(asked) {
        await setTimeout(asked.interval * 1000);
        const { device_code } = asked;
        return this.do("poll", { device_code }).then(pairOf, (error) => {
            if (error.error !== "authorization_pending") throw error;
            return this.wait(asked);
        });
    }
    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

const { server } = prove(App);

before(async () => {
    assert.ok(process.env.AUTHLIB, "AUTHLIB names the folder that authlib/install prints");
    const certificate = join(server.folder, "front.pem");
    writeFileSync(certificate, await server.front.pem);
    python = spawn(join(process.env.AUTHLIB, "bin", "python"), [join(import.meta.dirname, "authlib", "application.py")], {
        env: { ...process.env, REQUESTS_CA_BUNDLE: certificate },
        stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: python.stdout }).on("line", (line) => {
        const { number, ...answer } = JSON.parse(line);
        waiting.get(number)(answer);
    });
});
after(() => python?.kill());
