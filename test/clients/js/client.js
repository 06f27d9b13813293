// An application on matrix-js-sdk 43. This version leaves /refresh to the application: it has refreshToken(), but calls
// nothing by itself unless the server speaks OAuth.
import { createClient, HttpApiEvent } from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

import { Network, silent } from "./network.js";
import { password } from "./server.js";

logger.setLevel("silent", false); // what belongs to no client logs here

/** One window of an application: a MatrixClient and the tokens that the application keeps. */
export class Tab {
    network = new Network();
    loggedOut = []; // the errors of all "Session.logged_out" events

    constructor(server, session = {}, options = {}) {
        this.server = server;
        this.session = { ...session };
        this.client = createClient({
            baseUrl: server.url,
            userId: session.user_id,
            deviceId: session.device_id,
            accessToken: session.access_token,
            fetchFn: this.network.fetch,
            logger: silent,
            ...options,
        });
        this.client.on(HttpApiEvent.SessionLoggedOut, (error) => this.loggedOut.push(error));
    }

    /** Another window with the same tokens. */
    another() {
        return new Tab(this.server, this.session);
    }

    get userId() {
        return this.session.user_id;
    }

    get deviceId() {
        return this.session.device_id;
    }

    whoami() {
        return this.client.whoami();
    }

    /** Exchanges the refresh token and keeps the pair. */
    async refresh() {
        const pair = await this.client.refreshToken(this.session.refresh_token);
        Object.assign(this.session, pair);
        this.client.setAccessToken(pair.access_token);
        return pair;
    }
}

/** The body of a login by password. */
export function passwordLogin(user, more = {}) {
    return { type: "m.login.password", identifier: { type: "m.id.user", user }, password, ...more };
}

/** Logs in, as a new user unless one is named, and gives the first window. */
export async function logIn(server, { user, ...more } = {}) {
    user ??= await server.addUser();
    const body = passwordLogin(user, { refresh_token: true, ...more });
    const session = await new Tab(server).client.loginRequest(body);
    return Object.assign(new Tab(server, session), { user });
}

/** What two answers must have in common to be one pair; the time left is another with every answer. */
export const tokens = ({ access_token, refresh_token }) => ({ access_token, refresh_token });
