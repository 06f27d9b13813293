// The operations, by Swagger UI, and how they follow the spec while somebody edits it.
import { makeRoom, tellBroken } from "./broken.js";
import { byId, clock, element, say } from "./dom.js";
import { devPassword, prepared } from "./examples.js";
import { keepMended } from "./mends.js";
import { plugin } from "./plugin.js";

const admin = new URLSearchParams(location.search).get("api") === "admin";
const source = `/_postern/spec/${admin ? "admin" : "openapi"}.json`;
const pause = 400; // between two questions whether the spec was saved; one that was not costs a 304
const longPause = 2_000; // while the server is away
const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

const listeners = [];
let shown; // the document
let etag = "";
let password;
let ui;

/** Calls f with the document whenever there is another. */
export function onDocument(f) {
  listeners.push(f);
  if (shown) f(shown);
}

/** All operations of a document: path, method and what is said of them. */
export function* operationsOf(document) {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of methods) if (item[method]) yield { path, method, operation: item[method] };
  }
}

export const answeredBy = (operation) => (operation["x-postern-answered-by"] === "spec" ? "spec" : "real");

/** The operation with a field more if the spec answers it: the header that chooses which answer. */
function withChoice(operation) {
  const { "x-postern-prefer": choices = [], parameters = [] } = operation;
  if (choices.length < 2 || parameters.some(({ name }) => name === "Prefer")) return operation;
  const description = "Which answer the spec gives. The header is the spec lab's, and not in the spec.";
  const choice = { name: "Prefer", in: "header", description, schema: { type: "string", enum: choices } };
  return { ...operation, parameters: [...parameters, choice] };
}

/** The document with those operations only that are to be shown. The document itself is filtered and not the page, because Swagger
 *  UI does not draw what is out of sight of a long list. */
function filtered(document, by) {
  const paths = {};
  for (const { path, method, operation } of operationsOf(document)) {
    if (by !== "all" && answeredBy(operation) !== by) continue;
    paths[path] ??= Object.fromEntries(Object.entries(document.paths[path]).filter(([key]) => !methods.includes(key)));
    paths[path][method] = withChoice(operation);
  }
  return { ...document, paths };
}

function draw(carry, answered) {
  const by = document.querySelector("input[name=show]:checked").value;
  const spec = prepared(filtered(shown, by), password);
  if (ui) {
    ui.specActions.updateSpec(JSON.stringify(spec)); // keeps what is open, and where the page is
    return;
  }
  byId("swagger").replaceChildren();
  keepMended(byId("swagger"));
  ui = window.SwaggerUIBundle({
    spec,
    domNode: byId("swagger"),
    layout: "SpecLab",
    plugins: [plugin],
    validatorUrl: null, // else it would ask another host
    tryItOutEnabled: true,
    requestInterceptor: carry,
    responseInterceptor: answered,
    syntaxHighlight: { activated: false }, // its colours cannot be read on every ground
  });
}

function count() {
  const counts = { all: 0, real: 0, spec: 0 };
  for (const { operation } of operationsOf(shown)) {
    counts.all++;
    counts[answeredBy(operation)]++;
  }
  for (const [by, n] of Object.entries(counts)) say(byId(`count-${by}`), String(n));
  const { title = "An API without a title", version = "" } = shown.info ?? {};
  say(byId("api"), `${title} ${version}`);
}

/** Asks for the spec, and shows it if it is another. */
async function follow(redraw) {
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await fetch(source, { headers, cache: "no-store" });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const first = !shown;
  if (first) password = await devPassword();
  const { "x-postern-broken": broken, ...document } = await answer.json();
  etag = answer.headers.get("ETag") ?? "";
  tellBroken(broken);
  if (first || JSON.stringify(document) !== JSON.stringify(shown)) {
    shown = document;
    count();
    redraw();
    for (const f of listeners) f(shown);
  }
  const saved = first || broken ? "" : `The spec was saved; these are its operations as of ${clock(Date.now())}.`;
  say(byId("spec-status"), saved);
}

/** A server that was started again has another password. Swagger UI keeps what stands in a body, typed or not. */
async function renewPassword() {
  const old = password;
  password = await devPassword();
  if (!old || !password) return;
  for (const { path, method } of operationsOf(shown)) {
    const value = ui.oas3Selectors.requestBodyValue(path, method);
    if (typeof value === "string" && value.includes(old)) {
      ui.oas3Actions.setRequestBodyValue({ value: value.replaceAll(old, password), pathMethod: [path, method] });
    }
  }
}

export function startOperations(carry, answered) {
  const redraw = () => draw(carry, answered);
  let timer;
  let away = false;
  const round = async () => {
    clearTimeout(timer);
    try {
      if (!document.hidden) await follow(redraw);
      if (away) {
        await renewPassword();
        redraw();
        say(byId("spec-status"), "The server is back.");
      }
      away = false;
    } catch (error) {
      away = true;
      say(byId("spec-status"), `The spec cannot be read now (${error.message}); trying again.`);
      if (!ui) byId("swagger").replaceChildren(element("p", { className: "loading" }, "No operations yet."));
    }
    timer = setTimeout(round, away ? longPause : pause);
  };
  for (const radio of document.querySelectorAll("input[name=show]")) radio.addEventListener("change", () => shown && redraw());
  document.addEventListener("visibilitychange", () => document.hidden || round());
  makeRoom();
  // A module runs after deferred scripts, so Swagger UI is there.
  round();
}
