// A process that a test commands: a line of JSON on standard input is a command, a line on standard output its answer.
import { createInterface } from "node:readline";

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Obeys until standard input ends, and ends the process then. */
export async function obey(commands, end = async () => {}) {
    for (const level of ["log", "info", "debug", "trace", "warn"]) console[level] = () => {}; // standard output is for answers
    process.on("unhandledRejection", (error) => process.stderr.write(`${error?.stack ?? error}\n`));
    for await (const line of createInterface({ input: process.stdin })) {
        const { do: name, ...rest } = JSON.parse(line);
        try {
            answer(await commands[name](rest));
        } catch (error) {
            answer({ failed: `${name}: ${error.message}`, status: error.httpStatus ?? 0 });
        }
    }
    await end();
    process.exit(0);
}
