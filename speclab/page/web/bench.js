// The macaroon bench. All that it knows of tokens the server tells it; the page has the pasted token, the caveats that were added to it
// here, and nothing else to remember.
import { byId, clock, complain, say } from "./dom.js";
import { onDocument, operationsOf } from "./operations.js";
import { current, onSession } from "./session.js";
import { draw } from "./drawing.js";

const endpoint = "/_postern/spec/token";
const lookAgain = 10_000; // tokens expire, and sessions end elsewhere

let added = [];
let rows = []; // requests of the API
let narrower = ""; // the token with what was added
let asked = 0;

/** The bench's token, for requests that are tried out; "" when there is none. */
export const benchToken = () => narrower || pasted();

const pasted = () => byId("token").value.trim();

/** The request that the person made up, with its address, which counts for all. */
const own = () => ({ method: byId("own-method").value, path: byId("own-path").value.trim() });

function questionFor(caveats, withOwn) {
  const addr = byId("own-addr").value.trim();
  return { token: pasted(), add: caveats, requests: [...(withOwn ? [own()] : []), ...rows].map((row) => ({ ...row, addr })) };
}

async function ask(question) {
  const answer = await fetch(endpoint, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });
  return answer.json();
}

function clear(message) {
  narrower = "";
  byId("told").hidden = true;
  say(byId("verdict"), message);
}

/** Looks at the token. Caveats that cannot be added stay out, and the fields say what is wrong. */
async function look(caveats = added) {
  const mine = ++asked;
  if (!pasted()) {
    added = [];
    complain(byId("token-error"), "", byId("token"));
    clear("Paste a token, or log in above and use the session's.");
    return;
  }
  let question = questionFor(caveats, true);
  let answer = await ask(question).catch(() => ({ error: { message: "The server does not answer." } }));
  const made = answer.error;
  if (made && ["method", "path", "addr"].includes(made.field)) {
    if (made.field === "addr") for (const row of question.requests) row.addr = "";
    else question = questionFor(caveats, false);
    answer = await ask(question).catch(() => answer);
  }
  if (mine !== asked) return; // something else was asked meanwhile
  complaints(made);
  if (answer.error?.field === "add") return; // what was there before still stands
  if (answer.error) {
    clear(answer.error.field === "token" ? "There is nothing to look at." : answer.error.message);
    return;
  }
  added = caveats;
  narrower = answer.token;
  draw(answer, question, added);
}

function complaints(fault) {
  const at = (...fields) => (fields.includes(fault?.field) ? fault.message : "");
  complain(byId("token-error"), at("token"), byId("token"));
  complain(byId("value-error"), at("add"), byId("value"));
  complain(byId("own-error"), at("path", "method", "addr"), ...(fault?.field === "addr" ? [byId("own-addr")] : [byId("own-path")]));
  for (const id of ["own-path", "own-addr"]) if (!at("path", "method", "addr")) byId(id).removeAttribute("aria-invalid");
}

const soon = (minutes) => `time < ${Date.now() + Math.round(minutes * 60_000)}`;

/** The caveat that the form says, as it is written. */
function written() {
  const kind = byId("kind").value;
  const value = byId("value").value.trim();
  if (kind === "") return value;
  if (kind === "time <") return Number.isFinite(Number(value)) && value ? soon(Number(value)) : `time < ${value}`;
  return `${kind} ${value}`;
}

function startAdding() {
  byId("kind").addEventListener("change", ({ target }) => {
    byId("value").value = target.value === "device_id =" ? (current()?.device ?? "") : target.selectedOptions[0].dataset.value;
    complain(byId("value-error"), "", byId("value"));
  });
  byId("add").addEventListener("submit", (event) => {
    event.preventDefault();
    look([...added, written()]);
  });
  for (const button of document.querySelectorAll("[data-caveat], [data-minutes]")) {
    button.addEventListener("click", () => look([...added, button.dataset.caveat ?? soon(Number(button.dataset.minutes))]));
  }
  for (const [id, keep] of [["undo", () => added.slice(0, -1)], ["undo-all", () => []]]) {
    byId(id).addEventListener("click", async () => {
      await look(keep());
      if (added.length === 0) byId("value").focus(); // the button that had the focus can do no more
    });
  }
}

/** The API's operations that ask for a token, as requests. */
function requestsOf(document) {
  const found = [];
  for (const { path, method, operation } of operationsOf(document)) {
    const security = operation.security ?? document.security ?? [];
    if (security.length === 0 || security.some((one) => Object.keys(one).length === 0)) continue;
    found.push({ method: method.toUpperCase(), path: path.replace(/\{([^}]*)\}/g, (_, parameter) => encodeURIComponent(parameter)) });
  }
  return found;
}

export function startBench() {
  let typing;
  const soonLook = () => {
    clearTimeout(typing);
    typing = setTimeout(look, 150);
  };
  byId("token").addEventListener("input", () => {
    added = []; // they belong to the token that was there before
    soonLook();
  });
  for (const id of ["own-method", "own-path", "own-addr"]) byId(id).addEventListener("input", soonLook);
  byId("own").addEventListener("submit", (event) => event.preventDefault());
  byId("use-session").addEventListener("click", () => {
    byId("token").value = current().access;
    look([]);
  });
  byId("copy").addEventListener("click", async () => {
    byId("new-token").select(); // for where the clipboard is not to be had, as over http from elsewhere
    const done = await navigator.clipboard?.writeText(narrower).then(() => true, () => false);
    say(byId("copied"), done ? `Copied at ${clock(Date.now())}.` : "It is selected; copy it with Ctrl+C.");
  });
  startAdding();
  onSession((session) => {
    byId("use-session").disabled = session === null;
    look();
  });
  onDocument((document) => {
    rows = requestsOf(document);
    look();
  });
  setInterval(() => document.hidden || look(), lookAgain);
}
