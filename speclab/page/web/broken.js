// What is wrong with the last save of the spec. It stands at the top of the window until the spec is mended.
import { byId, clock, element } from "./dom.js";

const most = 3; // problems that a window has room for

/** A problem in the words of the console, so that its file and line are found there and in an editor. */
function line({ place: { file, line, column }, what, fix }) {
  const at = [file, line, column].filter(Boolean).join(":");
  return element("li", {}, element("code", {}, at || "the spec"), ` ${[what, fix].filter(Boolean).join("; ")}`);
}

/** Says what the document says of a broken save, or nothing. */
export function tellBroken(broken) {
  const banner = byId("broken");
  if (!broken) return banner.replaceChildren();
  const { since, problems } = broken;
  const more = problems.length - most;
  banner.replaceChildren(
    element("p", {}, element("strong", {}, "The last save is broken."), ` The spec of ${clock(since)} is still served.`),
    element("ul", {}, ...problems.slice(0, most).map(line)),
    ...(more > 0 ? [element("p", {}, `The console lists ${more} more.`)] : []),
  );
}

/** Tells the style how high the banner is: nothing that sticks to the top of the window, or is scrolled there, may lie under it. */
export function makeRoom() {
  const banner = byId("broken");
  const measure = () => {
    document.documentElement.style.setProperty("--banner", `${banner.offsetHeight}px`);
    if (banner.scrollHeight > banner.clientHeight) banner.tabIndex = 0; // long texts are scrolled with the keyboard too
    else banner.removeAttribute("tabindex");
  };
  new ResizeObserver(measure).observe(banner);
}
