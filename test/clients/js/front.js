// TLS before a server, as an operator's reverse proxy has it: some clients refuse http, and a browser takes a __Host- cookie over TLS
// alone. It can lose answers.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { request as ask } from "node:http";
import { createServer } from "node:https";
import * as tls from "node:tls";
import { promisify } from "node:util";

/** A key and a certificate for this machine's names, in one PEM text; the clients of this process trust it from now on. */
async function certify() {
    const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout - -out -";
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:app.example.com"];
    const { stdout } = await promisify(execFile)("openssl", [...args.split(" "), ...names]);
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), stdout.slice(stdout.indexOf("-----BEGIN CERTIFICATE"))]);
    return stdout;
}

export class Front {
    losing = [];
    seen = [];
    servers = [];

    /** Listens on a free port. What it is asked goes to the address that `to` gives by then. */
    async open(to) {
        const port = await this.listen((request, answer) => this.forward(to(), request, answer));
        this.url = `https://localhost:${port}`;
    }

    /** Serves something else by the same certificate, and gives its port. */
    async listen(handler) {
        const pem = await (this.pem ??= certify());
        const server = createServer({ key: pem, cert: pem }, handler);
        this.servers.push(server);
        await once(server.listen(0, "127.0.0.1"), "listening");
        return server.address().port;
    }

    close() {
        for (const server of this.servers) server.close().closeAllConnections();
    }

    /** Loses the answers to the next so many requests for a path: the server has done its work, and the connection breaks. */
    lose(path, times = 1) {
        this.losing.push(...Array(times).fill(path));
    }

    forward(to, request, answer) {
        const { method, url, headers } = request;
        const [path] = url.split("?");
        const onward = ask(to + url, { method, headers }, (got) => {
            this.seen.push({ method, path, status: got.statusCode });
            const lost = this.losing.indexOf(path);
            if (method !== "POST" || lost < 0) {
                answer.writeHead(got.statusCode, got.rawHeaders);
                got.pipe(answer);
                return;
            }
            this.losing.splice(lost, 1);
            got.resume().on("end", () => request.socket.destroy());
        });
        onward.on("error", () => request.socket.destroy());
        request.pipe(onward);
    }
}
