// The built binary, run the way an operator runs it: one server a test file, on a free loopback port.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { promisify } from "node:util";

import { Front } from "./front.js";

const binary = process.env.POSTERN_BIN;
const run = promisify(execFile);

export const password = "correct horse battery staple";

/** A free port of this machine. */
async function freePort() {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address();
    listener.close();
    await once(listener, "close");
    return port;
}

/** A server for a whole test file that serves the OAuth 2.0 API, whose clients must know its address before it starts. */
export function oauthServerFor(...flags) {
    return tended(new Server(flags), async (server) => {
        server.listen = `127.0.0.1:${await freePort()}`;
        server.flags.push("--oauth", "on", "--public-url", server.url);
    });
}

/** The same, found by a domain: browsers make passkeys for that, and for no IP address. `home` is its public URL. */
export function homeServerFor(...flags) {
    return tended(new Server(flags), async (server) => {
        const port = await freePort();
        server.listen = `127.0.0.1:${port}`;
        server.home = `http://localhost:${port}`;
        server.flags.push("--oauth", "on", "--public-url", server.home);
    });
}

/** The same behind TLS: `front` is what clients and browsers find. */
export function secureServerFor(...flags) {
    const front = new Front();
    return tended(Object.assign(new Server(flags), { front }), async (server) => {
        await front.open(() => server.url);
        server.flags.push("--oauth", "on", "--public-url", front.url);
    });
}

/** A server for a whole test file. Its end is a check too: SIGTERM has to give exit code 0. */
export function serverFor(...flags) {
    return tended(new Server(flags));
}

function tended(server, prepare = async () => {}) {
    before(async () => {
        await prepare(server);
        await server.start();
    });
    after(async () => {
        try {
            assert.equal(await server.end("SIGTERM"), 0, server.log.join("\n"));
        } finally {
            server.remove();
        }
    });
    return server;
}

class Server {
    folder = mkdtempSync(join(tmpdir(), "server-"));
    listen = "127.0.0.1:0";
    log = [];
    users = 0;

    constructor(flags) {
        this.flags = flags.includes("--rate-limit") ? flags : ["--rate-limit", "off", ...flags];
    }

    get db() {
        return join(this.folder, "postern.db");
    }

    get url() {
        return `http://${this.listen}`;
    }

    /** Starts the server, or starts it again on the database and the address that it had. */
    async start() {
        assert.ok(binary, "POSTERN_BIN names the binary to test");
        const args = ["serve", "--db", this.db, "--listen", this.listen, ...this.flags];
        this.process = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
        this.exit = once(this.process, "exit");
        const lines = createInterface({ input: this.process.stderr });
        const listening = new Promise((resolve) => {
            lines.on("line", (line) => {
                this.log.push(line);
                const { msg, address } = JSON.parse(line);
                if (msg === "listening") resolve(address);
            });
        });
        const ended = this.exit.then(([code]) => Promise.reject(new Error(`exit code ${code}: ${this.log.join("\n")}`)));
        this.listen = await Promise.race([listening, ended]);
        ended.catch(() => {}); // from now on an exit is somebody's wish
    }

    /** Sends a signal and gives the exit code, which is null for a server that was killed. */
    async end(signal) {
        this.process.kill(signal);
        const [code] = await this.exit;
        return code;
    }

    remove() {
        this.front?.close();
        this.process?.kill("SIGKILL"); // nothing, when it has ended
        rmSync(this.folder, { recursive: true });
    }

    /** Runs a command of the operator beside the running server and gives what it prints. */
    async command(args, input = "") {
        const running = run(binary, [...args, "--db", this.db]);
        running.child.stdin.end(input);
        return (await running).stdout;
    }

    /** Runs `spec calls`, which has no database, and gives its exit status and what it prints. */
    specCalls(...args) {
        return run(binary, ["spec", "calls", ...args]).then(({ stdout }) => ({ code: 0, stdout }), (error) => error);
    }

    /** A localpart that nobody has yet. */
    newName() {
        return `user${++this.users}`;
    }

    /** Adds an account and gives its localpart; every test has its own. */
    async addUser() {
        const name = this.newName();
        await this.command(["user", "add", name, "--password-stdin"], password);
        return name;
    }

    /** Makes a registration token. */
    async invite(...flags) {
        return (await this.command(["invite", "add", ...flags])).trim();
    }

    /** The row of a registration token in `invite list`. */
    async invited(token) {
        return (await this.rows("invite", "list")).find(({ TOKEN }) => TOKEN === token);
    }

    sessions(user) {
        return this.rows("session", "list", user);
    }

    /** The rows of a table that a command prints, by the headings of its columns. */
    async rows(...args) {
        const [heading, ...rows] = (await this.command(args)).trimEnd().split("\n");
        const names = heading.split(/ {2,}/);
        return rows.map((row) => Object.fromEntries(row.split(/ {2,}/).map((text, i) => [names[i], text])));
    }
}
