// The little that the other modules need of the document.

export const byId = (id) => document.getElementById(id);

/** Makes an element. Children are nodes or text: nothing that comes from a token or a spec is ever read as HTML. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Says something, unless it is said already: a screen reader would repeat it. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows what is wrong with a field, at the field; "" when nothing is. */
export function complain(node, text, ...fields) {
  say(node, text);
  for (const field of fields) {
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

export const clock = (time) => new Date(time).toLocaleTimeString(undefined, { hour12: false });
