// The one runbook that is needed when the server is gone, kept from when it was there.

import { ask, byId } from "./dom.js";

export const LOST_RUNBOOK = "docs/runbooks/target-down.md";

let kept = null;

// Our own page, from our own server; the one place where HTML is read, and no script in it runs.
export async function keep() {
  if (kept !== null) return;
  try {
    const answer = await fetch(LOST_RUNBOOK);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    kept = [...page.querySelector("main").childNodes];
    for (const link of page.querySelectorAll("main a")) link.replaceWith(link.textContent);
  } catch {
    // Tried again with the next connection.
  }
}

// For a click on the link while the server does not answer.
export function open(event) {
  if (kept === null) return;
  event.preventDefault();
  byId("runbook-body").replaceChildren(...kept.map((node) => document.importNode(node, true)));
  ask(byId("runbook-dialog"), byId("runbook-wrong"), async () => {});
}
