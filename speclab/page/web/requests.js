// The request log: what this server was asked lately, newest first. It comes as a HAR, whose secrets the server has hidden.
import { byId, clock, complain, element } from "./dom.js";

const source = "/_postern/spec/requests.json";
const pause = 2_000; // between two questions, while the panel is open
const most = 100;

let last = 0; // the number of the newest entry that is shown
let asking; // the timer of the next question

/** JSON on lines of its own, with numbers as they were sent; what is cut, or is none, stays as it is. */
function tidy(text) {
  try {
    return JSON.stringify(JSON.parse(text, (_, value, { source }) => (typeof value === "number" ? JSON.rawJSON(source) : value)), null, 2);
  } catch {
    return text;
  }
}

/** A part that is opened: headers, and what may be shown of the body. */
function part(title, first, headers, body) {
  const list = element("dl", {}, ...headers.map(({ name, value }) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const made = [element("h3", {}, title), element("p", { className: "first" }, first), list];
  if (body?.text) made.push(element("pre", {}, tidy(body.text)));
  if (body?.comment) made.push(element("p", { className: "hint" }, `${body.comment[0].toUpperCase()}${body.comment.slice(1)}.`));
  return made;
}

function opened({ request, response, time }) {
  const { pathname, search } = new URL(request.url);
  return element(
    "div",
    { className: "parts" },
    element("div", {}, ...part("Request", `${request.method} ${pathname}${search}`, request.headers, request.postData)),
    element("div", {}, ...part("Answer", `${response.status} ${response.statusText}, after ${time} ms`, response.headers, response.content)),
  );
}

const preflight = ({ method, headers }) => method === "OPTIONS" && headers.some(({ name }) => name === "Access-Control-Request-Method");

function row(entry) {
  const { request, response, startedDateTime, _postern: { operation, answeredBy, violated, error } } = entry;
  const known = operation ?? (preflight(request) ? "preflight" : "not in the spec");
  const summary = element(
    "summary",
    {},
    element("span", { className: "time" }, clock(startedDateTime)),
    element("span", { className: "asked" }, element("span", { className: "method" }, request.method), ` ${new URL(request.url).pathname}`),
    element("span", { className: operation ? "operation" : "operation unknown" }, known),
    answeredBy ? element("span", { className: `badge ${answeredBy}` }, answeredBy) : "",
    element("span", { className: response.status < 400 ? "code" : "code refused" }, String(response.status)),
  );
  if (violated || error) summary.append(element("span", { className: "why" }, violated ? `Violated: ${violated}` : error));
  const details = element("details", {}, summary);
  details.addEventListener("toggle", () => details.append(opened(entry)), { once: true });
  const made = element("li", {}, details);
  made.dataset.missing = known === "not in the spec";
  return made;
}

/** Says which operations were called that the spec does not have. */
function tellMissing(missing) {
  byId("missing").hidden = missing.length === 0;
  byId("missing-list").replaceChildren(
    ...missing.map(({ name, count, statuses }) =>
      element("li", {}, element("code", {}, name), ` ${count === 1 ? "once" : `${count} times`}, answered ${statuses.join(", ")}`),
    ),
  );
}

async function update() {
  const answer = await fetch(`${source}?after=${last}`, { cache: "no-store" });
  const { log, error } = await answer.json();
  if (error) throw new Error(error.message);
  const list = byId("request-list");
  if (log._postern.last < last) { // another server answers at this address
    last = 0;
    list.replaceChildren();
    return update();
  }
  if (log._postern.last > last) tellMissing(log._postern.missing);
  last = log._postern.last;
  list.prepend(...log.entries.map(row).reverse());
  while (list.children.length > most) list.lastChild.remove();
  byId("no-requests").hidden = last > 0;
}

async function ask() {
  clearTimeout(asking);
  if (!byId("request-log").open) return;
  if (!document.hidden) {
    try {
      await update();
      complain(byId("requests-error"), "");
    } catch (error) {
      complain(byId("requests-error"), error instanceof TypeError ? "The requests cannot be read now; the page asks again." : error.message);
    }
  }
  clearTimeout(asking);
  asking = setTimeout(ask, pause);
}

export function startRequests() {
  byId("request-log").addEventListener("toggle", ask);
  document.addEventListener("visibilitychange", ask);
  for (const choice of document.querySelectorAll("input[name=requests]")) {
    choice.addEventListener("change", () => (byId("request-list").dataset.show = choice.value));
  }
}
