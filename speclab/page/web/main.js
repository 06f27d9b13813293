// Ties the parts of the page together: the session's form, the two views of a narrow screen, and which token a request carries.
import { benchToken, startBench } from "./bench.js";
import { byId, clock, complain, say } from "./dom.js";
import { startOperations } from "./operations.js";
import { startRequests } from "./requests.js";
import { accessToken, check, forget, logIn, logOut, onSession, sessionFetch } from "./session.js";

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;

/** Puts the token into a request that is tried out, as the radio buttons say. */
async function carry(request) {
  const how = chosen("carry");
  const token = how === "session" ? await accessToken() : how === "bench" ? benchToken() : "";
  if (token && !request.headers.Authorization) {
    request.headers.Authorization = `Bearer ${token}`;
    if (how === "session") request.userFetch = sessionFetch;
  }
  return request;
}

/** A logout that was tried out ends the page's session too. */
function answered(response) {
  const path = new URL(response.url, location.href).pathname;
  if (response.ok && /\/logout(\/all)?$/.test(path)) {
    if (chosen("carry") === "session") forget("Logged out.");
    else check().catch(() => {}); // the bench's token may be of this session or of another
  }
  return response;
}

function startSession() {
  const fields = [byId("user"), byId("password")];
  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [user, password] = fields.map((field) => field.value);
    try {
      await logIn(user, password);
      complain(byId("session-error"), "", ...fields);
      byId("login").reset(); // the password is needed no more
      byId("logout").focus(); // the form that had the focus is hidden
    } catch (error) {
      complain(byId("session-error"), error.message, ...fields);
      fields[user ? 1 : 0].focus();
    }
  });
  byId("logout").addEventListener("click", async () => {
    try {
      await logOut();
      fields[0].focus();
    } catch (error) {
      complain(byId("session-error"), error.message);
    }
  });
  onSession((session, why) => {
    byId("login").hidden = session !== null;
    byId("logged-in").hidden = session === null;
    if (session) say(byId("who"), `Logged in as ${session.user}, device ${session.device}.`);
    const renewal = session?.until ? `Its access token is good until ${clock(session.until)} and is then renewed with the next request.` : "";
    say(byId("session-status"), session ? renewal : why);
  });
}

/** On a narrow screen one part is shown at a time; the address says which, so that going back works. */
function startViews() {
  const links = [...document.querySelectorAll(".views a")];
  const show = () => {
    const view = location.hash === "#bench" ? "bench" : "operations";
    document.body.dataset.view = view;
    for (const link of links) {
      if (link.hash === `#${view}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("hashchange", show);
  show();
}

startViews();
startSession();
startBench();
startOperations(carry, answered);
startRequests();
