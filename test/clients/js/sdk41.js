// matrix-js-sdk 41, the last generation on oidc-client-ts, with what it takes of a browser: two stores, and an origin.
class Store {
    #kept = new Map();

    get length() {
        return this.#kept.size;
    }
    key = (i) => [...this.#kept.keys()][i] ?? null;
    getItem = (key) => this.#kept.get(key) ?? null;
    setItem = (key, value) => this.#kept.set(key, value);
    removeItem = (key) => this.#kept.delete(key);
}
globalThis.window = { sessionStorage: new Store(), localStorage: new Store(), location: new URL("https://app.example.com/") };

await import("matrix-js-sdk-41/lib/logger.js").then(({ logger }) => logger.setLevel("silent", false));
const [sdk, { OidcClient }] = await Promise.all([import("matrix-js-sdk-41"), import("oidc-client-ts")]);
export const { createClient, completeAuthorizationCodeGrant, generateOidcAuthorizationUrl } = sdk;
export const { registerOidcClient, generateScope, startDeviceAuthorization, waitForDeviceAuthorization } = sdk;
export const { OidcTokenRefresher, TokenRefreshLogoutError } = sdk;
export { OidcClient };
