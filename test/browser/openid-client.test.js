// openid-client, which applications on Node sign people in with.
import { openid } from "../clients/js/libraries.js";
import { newDevice, prove, scope } from "./proof.js";

class App {
    device = newDevice();
    pkceCodeVerifier = openid.randomPKCECodeVerifier();
    expectedState = openid.randomState();

    static async register(base, metadata) {
        const app = new App();
        app.config = await openid.dynamicClientRegistration(new URL(`${base}/`), metadata, openid.None());
        return app;
    }

    async begin({ redirect, mode, prompt }) {
        const request = {
            redirect_uri: redirect,
            response_mode: mode,
            scope: scope(this.device),
            state: this.expectedState,
            code_challenge: await openid.calculatePKCECodeChallenge(this.pkceCodeVerifier),
            code_challenge_method: "S256",
            ...(prompt && { prompt }),
        };
        return openid.buildAuthorizationUrl(this.config, request).href;
    }

    async finish(at) {
        const url = new URL(at);
        if (url.hash) [url.search, url.hash] = [url.hash.slice(1), ""]; // a server never sees a fragment; a page would send it on so
        const { pkceCodeVerifier, expectedState } = this;
        return pairOf(await openid.authorizationCodeGrant(this.config, url, { pkceCodeVerifier, expectedState }));
    }

    refresh = async (token) => pairOf(await openid.refreshTokenGrant(this.config, token));
    revoke = (token, token_type_hint) => openid.tokenRevocation(this.config, token, { token_type_hint });
    ask = () => openid.initiateDeviceAuthorization(this.config, { scope: scope(this.device) });
    wait = async (asked) => pairOf(await openid.pollDeviceAuthorizationGrant(this.config, asked));
    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

prove(App);
