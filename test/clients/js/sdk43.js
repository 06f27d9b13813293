// matrix-js-sdk 43, whose own classes speak the OAuth 2.0 API.
import { logger } from "matrix-js-sdk/lib/logger.js";
export { createClient, InteractiveAuth, OAuth2 } from "matrix-js-sdk";
logger.setLevel("silent", false);
