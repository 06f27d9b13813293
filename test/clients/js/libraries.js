// The clients of this folder for tests that stand elsewhere: a package is found from where it is imported.
export * as oauth4webapi from "oauth4webapi";
export * as openid from "openid-client";

/** The file of a library that a page can load as it is. */
export const forPages = new URL(import.meta.resolve("oauth4webapi"));
