// oauth4webapi, a strict client library of OAuth 2.0 that certified clients stand on.
import { oauth4webapi as oauth } from "../clients/js/libraries.js";
import { newDevice, prove, scope } from "./proof.js";

class App {
    device = newDevice();
    verifier = oauth.generateRandomCodeVerifier();
    state = oauth.generateRandomState();

    static async register(base, metadata, algorithm = "oidc") {
        const app = new App();
        const issuer = new URL(`${base}/`);
        app.server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }));
        const answer = await oauth.dynamicClientRegistrationRequest(app.server, metadata);
        app.client = await oauth.processDynamicClientRegistrationResponse(answer);
        return app;
    }

    async begin({ redirect, mode, prompt }) {
        this.redirect = redirect;
        const url = new URL(this.server.authorization_endpoint);
        url.search = new URLSearchParams({
            client_id: this.client.client_id,
            redirect_uri: redirect,
            response_type: "code",
            response_mode: mode,
            scope: scope(this.device),
            state: this.state,
            code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
            code_challenge_method: "S256",
            ...(prompt && { prompt }),
        });
        return url.href;
    }

    async finish(at) {
        const { server, client, redirect, verifier } = this;
        const answer = oauth.validateAuthResponse(server, client, new URLSearchParams(at.hash.slice(1) || at.search), this.state);
        const got = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), answer, redirect, verifier);
        return pairOf(await oauth.processAuthorizationCodeResponse(server, client, got));
    }

    async refresh(token) {
        const { server, client } = this;
        const answer = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token);
        return pairOf(await oauth.processRefreshTokenResponse(server, client, answer));
    }

    async revoke(token, hint) {
        const more = { additionalParameters: { token_type_hint: hint } };
        await oauth.processRevocationResponse(await oauth.revocationRequest(this.server, this.client, oauth.None(), token, more));
    }

    isOver = (error) => error.error === "invalid_grant";
}

const pairOf = ({ access_token, refresh_token }) => ({ access: access_token, refresh: refresh_token });

prove(App);
