// Dead letters: who was set aside, why, and what to do about it.

import { call, change, segment } from "./api.js";
import { ask, byId, h, keyed, setText, show } from "./dom.js";
import { iso, time } from "./format.js";
import { cell } from "./health.js";
import { find } from "./search.js";

const SHOWN = 50;
const PAYLOAD_CHARACTERS = 160;
const EVERY_MS = 30000;

let counts = "";
let readAt = -Infinity;
let reading = false;
let failed = false;

// Read again whenever a queue has more, or fewer, than before; and now and then, since one may have
// come while another went.
export function hear(queues) {
  const now = JSON.stringify(queues.map((queue) => [queue.mode, queue.dead_letters]));
  if (reading || (now === counts && performance.now() - readAt < EVERY_MS)) return;
  counts = now;
  readAt = performance.now();
  read(queues.filter((queue) => queue.dead_letters));
}

export function forget() {
  counts = "";
}

async function read(queues) {
  reading = true;
  try {
    const lists = await Promise.all(queues.map(async ({ mode, dead_letters: expected }) => {
      const letters = await call("GET", `api/v1/dead-letters/${segment(mode)}?count=${SHOWN}`);
      // The server counts them every few seconds: until both agree, one of the two is old.
      if (letters.length !== Math.min(expected, SHOWN)) forget();
      return letters.map((letter) => ({ ...letter, mode }));
    }));
    if (failed) setText(byId("letters-said"), "");
    failed = false;
    render(lists.flat().sort((one, other) => other.set_aside_at - one.set_aside_at));
  } catch (error) {
    failed = true;
    setText(byId("letters-said"), `The dead letters cannot be read: ${error.message}`);
    setTimeout(forget, 3000);
  } finally {
    reading = false;
  }
}

function render(letters) {
  show(byId("letters-table"), letters.length > 0);
  show(byId("letters-empty"), letters.length === 0);
  keyed(byId("letters"), letters, (letter) => `${letter.mode} ${letter.id}`, row);
}

function row(letter) {
  const who = letter.player_id;
  const button = (name, kind, act) =>
    h("button", { type: "button", class: kind, "aria-label": `${name} ${who}`, onclick: () => act(letter) }, name);
  const node = h("tr", { role: "row" },
    h("th", { role: "rowheader", scope: "row" },
      h("button", { type: "button", class: "plain", "aria-label": `Find ${who}`, onclick: () => find(who) }, who),
      h("span", { class: "muted small block" }, letter.mode)),
    cell("Reason", {}, letter.reason),
    cell("Payload", {}, payload(letter.metadata)),
    cell("Set aside", {}, h("time", { datetime: iso(letter.set_aside_at) }, time(letter.set_aside_at))),
    cell("What to do", { class: "actions" }, button("Requeue", "", requeue), button("Drop", "quiet", drop)));
  return { node, update: () => {} };
}

function payload(text) {
  if (text === "") return h("span", { class: "muted" }, "none");
  if (text.length <= PAYLOAD_CHARACTERS) return h("code", {}, text);
  return h("details", {},
    h("summary", {}, h("code", {}, `${text.slice(0, 60)}…`)), h("code", {}, text));
}

async function requeue(letter) {
  setText(byId("requeue-title"), `Requeue ${letter.player_id}`);
  setText(byId("requeue-why"), `The player goes back to ${letter.mode} with the place they had. It was set aside because: ${letter.reason}. Mend the metadata, else it is set aside again.`);
  const field = byId("metadata");
  field.value = letter.metadata;
  let metadata = null;
  const wanted = await ask(byId("requeue-dialog"), byId("requeue-wrong"), async () => {
    metadata = parsed(field.value);
  });
  if (wanted) await act("POST", `${path(letter)}/requeue`, { metadata });
}

function parsed(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error('Metadata is an object, such as {"pod_id": "pod-a"}.');
  }
  return value;
}

async function drop(letter) {
  setText(byId("drop-why"), `The dead letter of ${letter.player_id} is deleted. The player is in no queue, and plays only if their game server asks again.`);
  const wanted = await ask(byId("drop-dialog"), byId("drop-wrong"), async () => {});
  if (wanted) await act("DELETE", path(letter));
}

const path = (letter) => `api/v1/dead-letters/${segment(letter.mode)}/${segment(letter.id)}`;

async function act(method, url, body) {
  const said = byId("letters-said");
  try {
    const done = await change(method, url, body);
    if (done === null) return;
    setText(said, `Done: ${done.done}.`);
  } catch (error) {
    setText(said, `Not done: ${error.message}`);
  }
  forget();
}

export function begin() {
  byId("letters-refresh").addEventListener("click", forget);
}
