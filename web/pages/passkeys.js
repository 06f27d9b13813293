// Asks the browser for a passkey when a form wants one, and sends the form with the answer. It loads and sends nothing itself.
"use strict";
(() => {
if (!window.PublicKeyCredential) return;

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const named = (keys) => (keys ?? []).map((key) => ({ ...key, id: bytes(key.id) }));

function ask(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (options.user) {
    publicKey.user = { ...options.user, id: bytes(options.user.id) };
    publicKey.excludeCredentials = named(options.excludeCredentials);
    return navigator.credentials.create({ publicKey });
  }
  publicKey.allowCredentials = named(options.allowCredentials);
  return navigator.credentials.get({ publicKey });
}

// What went wrong, as the form's own texts are named: in a name that contains "uri" a template would take them for addresses.
const why = { NotAllowedError: "cancelled", InvalidStateError: "here", SecurityError: "elsewhere" };

function told({ id, type, response }) {
  const answer = { id, rawId: id, type, response: {} };
  for (const field of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[field]) answer.response[field] = text(response[field]);
  }
  if (response.getTransports) answer.response.transports = response.getTransports();
  return JSON.stringify(answer);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const wrong = form.querySelector("[role=alert]");
  let answered = false;
  form.addEventListener("submit", async (event) => {
    if (answered) {
      answered = false;
      return;
    }
    event.preventDefault();
    const button = event.submitter;
    wrong.hidden = button.disabled = true;
    try {
      form.elements.answer.value = told(await ask(JSON.parse(form.dataset.passkey)));
      answered = true;
    } catch (error) {
      wrong.textContent = wrong.dataset[why[error.name] ?? "other"];
      wrong.hidden = false;
    }
    button.disabled = false;
    if (answered) form.requestSubmit(button);
    else button.focus();
  });
}
for (const element of document.querySelectorAll("[data-scripted]")) element.hidden = false;
for (const element of document.querySelectorAll("[data-unscripted]")) element.hidden = true;
})();
