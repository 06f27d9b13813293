// Draws what the server said of a token.
import { byId, element, say } from "./dom.js";

const by = { minter: "by the server", holder: "by a holder", you: "added here" };

function drawFacts(told) {
  const facts = [
    ["Location", told.location],
    ["Identifier", `format ${told.version} · root key ${told.key_id} · generation ${told.generation}`],
    ["Session", told.session],
  ];
  byId("facts").replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function drawCaveats(caveats, refusing) {
  const items = caveats.map((caveat) => {
    const item = element("li", { className: caveat.by }, element("code", {}, caveat.text), " ", element("span", { className: "by" }, by[caveat.by]),
      element("p", {}, `${caveat.words}.`));
    if (refusing === caveat.text) item.classList.add("refuses");
    return item;
  });
  byId("caveats").replaceChildren(...items);
}

function drawSignature({ token, signature, before }, changed) {
  byId("before-row").hidden = !changed;
  byId("new-token-row").hidden = !changed;
  say(byId("before"), before);
  say(byId("after"), signature);
  say(byId("after-name"), changed ? "After" : "Now");
  byId("new-token").value = changed ? token : "";
}

function drawRow(request, verdict) {
  const why = verdict.open ? [""] : verdict.caveat ? [element("code", {}, verdict.caveat), `: ${verdict.why}`] : [verdict.why];
  return element("tr", { className: verdict.open ? "open" : "shut" },
    element("th", { scope: "row" }, element("span", { className: "method" }, request.method), " ", breakable(request.path)),
    element("td", {}, verdict.open ? "yes" : "no"),
    element("td", {}, ...why));
}

/** A path breaks after its slashes, and not in the middle of a word. */
function breakable(path) {
  const pieces = path.split(/(?<=\/)/).flatMap((piece) => [piece, element("wbr")]);
  return element("span", { className: "path" }, ...pieces);
}

let last = ""; // the table as it was drawn: one that did not change is left alone, and with it what is selected in it

/** Draws an answer to a question, with the caveats that were added here. */
export function draw(answer, { requests }, added) {
  const { verdict, told } = answer;
  byId("told").hidden = false;
  say(byId("verdict"), verdict.why + (verdict.caveat ? ` ${verdict.caveat}` : ""));
  byId("verdict").className = `verdict ${verdict.open ? "open" : "shut"}`;
  drawFacts(told);
  drawCaveats(told.caveats, verdict.caveat);
  drawSignature(answer, added.length > 0);
  byId("undo").disabled = byId("undo-all").disabled = added.length === 0;
  byId("undo-why").hidden = added.length === 0;
  const open = answer.requests.filter((one) => one.open).length;
  say(byId("opens"), `Opens ${open} of ${requests.length} requests.`);
  const table = JSON.stringify([requests, answer.requests]);
  if (table !== last) byId("requests").replaceChildren(...requests.map((request, i) => drawRow(request, answer.requests[i])));
  last = table;
}
