// matrix-js-sdk 43: the classes with which Element Web signs people in today.
import { createClient, OAuth2 } from "../clients/js/sdk43.js";
import { prove } from "./proof.js";

class App {
    static async register(baseUrl, metadata) {
        const app = new App();
        const server = await createClient({ baseUrl }).getAuthMetadata();
        app.oauth = new OAuth2(server, { clientId: await OAuth2.registerClient(server, metadata) });
        app.device = app.oauth.context.deviceId;
        return app;
    }

    begin({ redirect, mode, prompt }) {
        this.redirect = redirect;
        return this.oauth.generateAuthorizationCodeGrantUrl("state:with:colons", redirect, mode, prompt);
    }

    /** The sdk leaves it to the application to read the answer. */
    async finish(at) {
        const answer = new URLSearchParams(at.hash.slice(1) || at.search);
        if (answer.has("error")) throw Object.fromEntries(answer);
        return pairOf(await this.oauth.completeAuthorizationCodeGrant(answer.get("code"), this.redirect));
    }

    refresh = async (token) => pairOf(await this.oauth.performRefreshTokenGrant(token));
    revoke = (token, hint) => this.oauth.revokeToken(token, hint);
    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

prove(App);
