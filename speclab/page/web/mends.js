// What Swagger UI does wrong for people who hear the page or have no mouse, mended in what it has drawn. It writes none of these
// attributes again.

const mends = [
  // The fields of parameters and of forms have no label, and those with a mistake are called by the mistake.
  ["[data-param-name] :is(input, select, textarea):not([aria-label])", (field) => {
    field.ariaLabel = field.closest("[data-param-name]").dataset.paramName;
  }],
  ["[data-property-name] :is(input, select, textarea):not([aria-label])", (field) => {
    field.ariaLabel = field.closest("[data-property-name]").dataset.propertyName;
  }],
  [".examples-select-element:not([aria-label])", (field) => (field.ariaLabel = "Example")],
  ["textarea.body-param__text:not([aria-label])", (field) => (field.ariaLabel = "Request body")],
  // The table of answers calls itself a region without a name, and thereby no table.
  ["table[role=region]", (table) => table.removeAttribute("role")],
  // What scrolls must be reached with Tab, or it cannot be read without a mouse.
  ["pre.microlight:not([tabindex])", (pre) => {
    if (pre.scrollHeight > pre.clientHeight) pre.tabIndex = 0;
  }],
];

/** Mends what is drawn inside of place, now and later. */
export function keepMended(place) {
  const mend = () => {
    for (const [what, how] of mends) place.querySelectorAll(what).forEach(how);
  };
  new MutationObserver(mend).observe(place, { childList: true, subtree: true });
  mend();
}
