// Matches that are being handed over: looked at when somebody asks, since they change all the time.

import { call, change, segment } from "./api.js";
import { ask, byId, h, setText, show } from "./dom.js";
import { iso, time } from "./format.js";
import { cell } from "./health.js";

const SHOWN = 50;

let modes = [];

export function hear(queues) {
  modes = queues.filter((queue) => queue.pending).map((queue) => queue.mode);
}

async function look() {
  try {
    const lists = await Promise.all(modes.map(async (mode) => {
      const found = await call("GET", `api/v1/matches/${segment(mode)}?count=${SHOWN}`);
      return found.map((match) => ({ ...match, mode }));
    }));
    const found = lists.flat().sort((one, other) => (one.created_at ?? 0) - (other.created_at ?? 0));
    show(byId("matches-table"), found.length > 0);
    setText(byId("matches-empty"), found.length ? "" : "No match waits to be claimed or started.");
    byId("matches").replaceChildren(...found.map(row));
  } catch (error) {
    setText(byId("matches-said"), `The matches cannot be read: ${error.message}`);
  }
}

function row(match) {
  const told = (words) => {
    setText(byId("matches-said"), words);
    look();
  };
  return h("tr", { role: "row" },
    h("th", { role: "rowheader", scope: "row" },
      h("code", {}, match.match_id), h("span", { class: "muted small block" }, match.mode)),
    cell("State", {}, state(match)),
    cell("Players", {}, match.teams.flat().join(", ")),
    cell("Made", {}, match.created_at === null ? "?" : h("time", { datetime: iso(match.created_at) }, time(match.created_at))),
    cell("What to do", { class: "actions" }, endButton(match.mode, match.match_id, told)));
}

function state(match) {
  if (match.problem !== null) return `cannot be read: ${match.problem}`;
  return match.claimed_by === null ? `offered, ${match.offers}×` : `claimed by ${match.claimed_by}`;
}

// A button that ends a match; `told` takes what came of it.
export function endButton(mode, id, told) {
  const end = async () => {
    const leave = byId("end-leave");
    leave.checked = false;
    setText(byId("end-why"), `Match ${id} of ${mode} has not started. Its players go back to the queue with the place they had. A game server that has claimed it is refused when it starts.`);
    if (!(await ask(byId("end-dialog"), byId("end-wrong"), async () => {}))) return;
    try {
      const done = await change("DELETE", `api/v1/matches/${segment(mode)}/${segment(id)}?leave=${leave.checked}`);
      if (done !== null) told(`Done: ${done.done}.`);
    } catch (error) {
      told(`Not done: ${error.message}`);
    }
  };
  return h("button", { type: "button", "aria-label": `End match ${id}`, onclick: end }, "End");
}

export function begin() {
  byId("matches-look").addEventListener("click", () => {
    setText(byId("matches-said"), "");
    look();
  });
}
