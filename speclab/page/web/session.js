// The session that the page has with its own server. It lives in this tab: sessionStorage ends with it, and no other tab, site or
// server sees it.

const place = "postern.session";
const client = "/_matrix/client/v3";

/** How long before its end an access token is renewed: no request of ours takes longer. */
const margin = 20_000;

const listeners = [];
let session = JSON.parse(sessionStorage.getItem(place) ?? "null");
let renewing; // one renewal at a time: all who wait get its answer

/** The session, or null: user, device, access, refresh and until, in milliseconds. */
export const current = () => session;

/** Calls f with the session now and whenever it changes; with why, when it ended. */
export function onSession(f) {
  listeners.push(f);
  f(session, "");
}

function keep(next, why = "") {
  session = next;
  if (next) sessionStorage.setItem(place, JSON.stringify(next));
  else sessionStorage.removeItem(place);
  for (const f of listeners) f(session, why);
}

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(client + path, { method: "POST", headers, body: JSON.stringify(body) });
  const fields = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(fields.error ?? `The server answers ${answer.status}.`), { status: answer.status });
  return fields;
}

/** What of an answer's tokens the session keeps. */
const pair = (answer) => ({
  access: answer.access_token,
  refresh: answer.refresh_token,
  until: answer.expires_in_ms ? Date.now() + answer.expires_in_ms : null,
});

export async function logIn(user, password) {
  const answer = await post("/login", {
    type: "m.login.password",
    identifier: { type: "m.id.user", user },
    password,
    refresh_token: true,
    initial_device_display_name: "Spec lab",
  });
  keep({ user: answer.user_id, device: answer.device_id, ...pair(answer) });
}

export async function logOut() {
  const { access } = session;
  try {
    await post("/logout", {}, access);
  } catch (error) {
    if (error.status !== 401) throw error; // else it has ended already
  }
  keep(null, "Logged out.");
}

/** Says that the server ended the session, as after a logout that was tried out. */
export const forget = (why) => keep(null, why);

/** Asks whether the session is still there, and forgets one that is not. */
export async function check() {
  if (session) await sessionFetch(`${client}/account/whoami`, { headers: { Authorization: `Bearer ${session.access}` } });
}

async function renew() {
  try {
    const answer = await post("/refresh", { refresh_token: session.refresh });
    keep({ ...session, ...pair({ refresh_token: session.refresh, ...answer }) });
  } catch (error) {
    if (error.status === 401) keep(null, `The session has ended; the server says: ${error.message}`);
    throw error;
  }
}

const renewed = () => (renewing ??= renew().finally(() => (renewing = undefined)));

/** An access token that is good for a while yet, or "" without a session. */
export async function accessToken() {
  if (session?.until && session.until - Date.now() < margin) await renewed().catch(() => {});
  return session?.access ?? "";
}

/** Asks with the session's token, and once more with a new one when the server says that it knows this one no longer. */
export async function sessionFetch(url, options) {
  const token = options.headers.Authorization;
  const answer = await fetch(url, options);
  if (answer.status !== 401 || !session?.refresh) return answer;
  const { errcode } = await answer.clone().json().catch(() => ({}));
  if (errcode !== "M_UNKNOWN_TOKEN") return answer; // a 401 may also ask for the password
  if (token === `Bearer ${session.access}`) {
    try {
      await renewed();
    } catch {
      return answer;
    }
  }
  return fetch(url, { ...options, headers: { ...options.headers, Authorization: `Bearer ${session.access}` } });
}
