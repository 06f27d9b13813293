// A mail server on loopback for a whole test file: aiosmtpd, as ../rig/smtp has it. AIOSMTPD says where it is installed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../rig/smtp/server.py", import.meta.url));

/** A mail in quoted-printable, as a person reads it. RFC 2045, section 6.7. */
export function readable(mail) {
    const bytes = mail.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Starts it, and gives its URL and what takes its mails. */
export async function mailServer() {
    const server = spawn(join(process.env.AIOSMTPD, "bin/python"), [program, "none", "", "", "", ""], { stdio: ["pipe", "pipe", "inherit"] });
    const exit = once(server, "exit");
    after(async () => {
        server.kill();
        await exit;
    });
    const said = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await said.next()).value);
    const { port } = await next();
    const waiting = [];
    return {
        url: `smtp://127.0.0.1:${port}`,

        /** Waits for the next mail to an address, and gives its text as a person reads it. */
        async take(address) {
            for (;;) {
                const at = waiting.findIndex(({ to }) => to.includes(address));
                if (at >= 0) return readable(waiting.splice(at, 1)[0].mail);
                waiting.push(await next());
            }
        },

        /** Takes the next mail to an address that has a link, and gives that. */
        async link(address) {
            for (;;) {
                const [link] = (await this.take(address)).match(/http:\/\/\S+/) ?? [];
                if (link) return link;
            }
        },
    };
}
