// matrix-js-sdk 41 on oidc-client-ts: the generation before, which is still in the field. It asks for `openid`, spells the scopes as
// the proposal did, and refreshes by what the issuer's /.well-known/openid-configuration says.
import * as sdk from "../clients/js/sdk41.js";
import { newDevice, prove } from "./proof.js";

class App {
    static forgets = true; // its verifier, as soon as it has asked once for the tokens of a code

    static async register(homeserverUrl, metadata) {
        const app = new App();
        app.homeserverUrl = homeserverUrl;
        app.metadata = await sdk.createClient({ baseUrl: homeserverUrl }).getAuthMetadata();
        app.clientId = await sdk.registerOidcClient(app.metadata, {
            clientName: metadata.client_name,
            clientUri: metadata.client_uri,
            applicationType: metadata.application_type,
            redirectUris: metadata.redirect_uris,
            contacts: ["admin@example.com"],
        });
        return app;
    }

    async begin({ redirect, mode, prompt }) {
        const { metadata, clientId, homeserverUrl } = this;
        Object.assign(this, { redirect, mode });
        const request = { metadata, clientId, homeserverUrl, redirectUri: redirect, nonce: "nonce", responseMode: mode, prompt };
        const url = await sdk.generateOidcAuthorizationUrl(request);
        [, this.device] = new URL(url).searchParams.get("scope").split("client:device:");
        return url;
    }

    async finish(at) {
        const answer = new URLSearchParams(at.hash.slice(1) || at.search);
        if (answer.has("error")) throw Object.fromEntries(answer);
        const done = await sdk.completeAuthorizationCodeGrant(answer.get("code"), answer.get("state"), this.mode);
        this.claims = done.idTokenClaims;
        return { access: done.tokenResponse.access_token, refresh: done.tokenResponse.refresh_token };
    }

    /** A refresher for each, as each window has its own. */
    async refresh(token) {
        const { metadata, clientId, redirect, device, claims } = this;
        const window = new sdk.OidcTokenRefresher(metadata.issuer, clientId, redirect, device, claims);
        const { accessToken, refreshToken } = await window.doRefreshAccessToken(token);
        return { access: accessToken, refresh: refreshToken };
    }

    /** As Element Web logs out. */
    revoke(token, hint) {
        const { metadata, clientId, redirect } = this;
        return new sdk.OidcClient({ metadata, authority: metadata.issuer, client_id: clientId, redirect_uri: redirect }).revokeToken(token, hint);
    }

    ask() {
        const { metadata, clientId } = this;
        this.device = newDevice();
        return sdk.startDeviceAuthorization({ metadata, clientId, scope: sdk.generateScope(this.device) });
    }

    async wait(session) {
        const { metadata, clientId } = this;
        const answer = await sdk.waitForDeviceAuthorization({ session, metadata, clientId });
        return { access: answer.access_token, refresh: answer.refresh_token };
    }

    isOver = (error) => error instanceof sdk.TokenRefreshLogoutError;
}

prove(App);
