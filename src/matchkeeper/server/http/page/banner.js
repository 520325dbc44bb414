// What is wrong, on top of everything. Written anew only when it changes: it is read aloud.

import { byId, h, setText, show } from "./dom.js";
import { plural, rate } from "./format.js";
import { LOST_RUNBOOK, open } from "./offline.js";

const LOST = {
  name: "disconnected",
  severity: "critical",
  title: "This page has lost the server",
  meaning: "What you see below is old. If the server is down and no other runs, no matches are made; players in the queue stay there, at their place. The page comes back by itself. "
    + "On the machine of the server: is the process there, and what is the last line of its log?",
  runbook: LOST_RUNBOOK,
};

let shown = "";

export function render(snapshot, connected) {
  const problems = [...(connected ? [] : [LOST]), ...(snapshot?.problems ?? [])];
  const state = JSON.stringify(problems);
  if (state !== shown) {
    shown = state;
    byId("banner").replaceChildren(...problems.map(problem));
    document.title = problems.length ? `(${problems.length}) ${problems[0].title} - Matchkeeper` : "Matchkeeper";
  }
  const calm = byId("calm");
  show(calm, problems.length === 0 && snapshot !== null);
  if (!calm.hidden) setText(calm, words(snapshot));
}

function problem(each) {
  const word = each.severity === "critical" ? "Critical" : "Warning";
  return h("div", { class: `problem ${each.severity}`, "data-name": each.name },
    h("p", { class: "problem-title" }, h("span", { class: "badge" }, word), " ", h("strong", {}, each.title)),
    h("p", {}, each.meaning),
    h("p", {}, h("a", { href: each.runbook, onclick: each === LOST ? open : null }, `What to do: ${each.runbook.split("/").at(-1).replace(".md", "").replaceAll("-", " ")}`)));
}

function words(snapshot) {
  const waiting = snapshot.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const matches = snapshot.queues.reduce((sum, queue) => sum + queue.matches_a_minute, 0);
  return `All is well. ${plural(waiting, "player waits", "players wait")}, ${rate(matches)} ${matches === 1 ? "match" : "matches"} a minute.`;
}
