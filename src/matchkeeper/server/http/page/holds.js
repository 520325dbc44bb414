// Draining, pausing and resuming a mode, on all servers.

import { change, segment } from "./api.js";
import { ask, byId, h, setText, show } from "./dom.js";

const MEANS = {
  Pause: "Nobody in it is matched, on all servers, until it is resumed. Newcomers wait.",
  Drain: "Newcomers are refused, on all servers, until it is resumed. Those who wait are matched.",
  Resume: "Players are let in and matched again, on all servers.",
};

// The part of a queue's card, and what brings it up to date.
export function holds(mode) {
  const said = h("p", { class: "small", role: "status" });
  const state = h("p", { class: "muted small" });
  const buttons = Object.fromEntries(Object.keys(MEANS).map((name) => [name,
    h("button", { type: "button", class: "quiet", "aria-label": `${name} ${mode}`, onclick: () => hold(mode, name, said) }, name)]));
  const node = h("div", { class: "part" }, state, h("p", { class: "actions" }, ...Object.values(buttons)), said);
  const update = (states) => {
    setText(state, states.length ? `${states.join(" and ")} by an operator` : "");
    show(state, states.length > 0);
    show(buttons.Pause, !states.includes("paused"));
    show(buttons.Drain, !states.includes("drained"));
    show(buttons.Resume, states.length > 0);
  };
  return { node, update };
}

async function hold(mode, name, said) {
  setText(byId("hold-title"), `${name} ${mode}?`);
  setText(byId("hold-why"), MEANS[name]);
  setText(byId("hold-form").querySelector("button[type=submit]"), name);
  if (!await ask(byId("hold-dialog"), byId("hold-wrong"), async () => {})) return;
  try {
    const done = await change("POST", `api/v1/queues/${segment(mode)}/${name.toLowerCase()}`);
    if (done !== null) setText(said, `Done: ${done.done}.`);
  } catch (error) {
    setText(said, `Not done: ${error.message}`);
  }
}
