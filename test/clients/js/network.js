// What lies between a client and the server, and what both versions of the sdk are held to.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";

const real = globalThis.fetch; // a test may put a network in its place

/** A network that remembers what went over it and loses the answers it is told to lose. */
export class Network {
    seen = [];
    losing = [];

    fetch = async (url, options) => {
        const { pathname, search } = new URL(url);
        const response = await real(url, options);
        const answer = await response.clone().json();
        this.seen.push({ path: pathname, search, status: response.status, answer });
        const lost = this.losing.findIndex((end) => pathname.endsWith(end));
        if (lost < 0) return response;
        this.losing.splice(lost, 1);
        throw new TypeError("fetch failed"); // as fetch says it; the server has done its work
    };

    /** Loses the answers to the next so many requests whose path ends so. */
    lose(end, times = 1) {
        this.losing.push(...Array(times).fill(end));
    }

    /** The requests, all or those whose path ends so. */
    to(end) {
        return this.seen.filter(({ path }) => path.endsWith(end));
    }
}

/** Expects a Matrix error with this status and errcode, and gives it. */
export async function refused(promise, status, errcode) {
    const error = await promise.then(
        (answer) => assert.fail(`answered ${JSON.stringify(answer)} instead of ${status} ${errcode}`),
        (error) => error,
    );
    assert.equal(`${error.httpStatus} ${error.errcode}`, `${status} ${errcode}`, String(error.stack));
    return error;
}

/** Waits until an access token has expired, by the word of the answer that brought it. */
export const expiry = ({ expires_in_ms }) => setTimeout(expires_in_ms + 20);

/** An sdk that keeps its log to itself. */
export const silent = Object.fromEntries(["trace", "debug", "info", "warn", "error"].map((level) => [level, () => {}]));
silent.getChild = () => silent;
