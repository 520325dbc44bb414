// One card per queue.

import { binName, curve, histogram, span } from "./chart.js";
import { byId, h, keyed, setText, show } from "./dom.js";
import { age, number, plural, rate, seconds } from "./format.js";
import { holds } from "./holds.js";

const CAUSES = {
  no_game_server: "no game server listened",
  publish_failed: "Redis failed",
  unclaimed: "no game server claimed the match",
  lease_expired: "claimed, but not started in time",
  declined: "declined by the game server",
  operator: "ended by an operator",
  shutdown: "this server was stopping",
};

const ANNOUNCED = "handoff = \"publish\": a match is announced to all who listen. Whether it started, nobody says; "
  + "if the pod of its first player is gone, it is lost.";

const hours = new Map();

export function hear(curves) {
  for (const each of curves) hours.set(each.mode, { points: each.points, at: performance.now() });
}

export function render(queues) {
  show(byId("queues-empty"), queues.length === 0);
  keyed(byId("queues"), queues, (queue) => queue.mode, card);
}

function card(first) {
  const announced = first.handoff === "publish";
  const id = `queue-${Math.random().toString(36).slice(2)}`;
  const part = {
    waiting: h("span", { class: "big" }),
    picture: h("div", { class: "picture" }),
    since: h("span"),
    median: h("dd"),
    p95: h("dd"),
    oldest: h("dd"),
    rate: h("dd"),
    pending: h("dd"),
    empty: h("p", { class: "empty" }),
    parties: h("div", { class: "part" }),
    ratings: h("div", { class: "part" }),
    causes: h("ul", { class: "causes" }),
    calm: h("p", { class: "muted small" }, "None within the last hour."),
  };
  part.holds = holds(first.mode);
  const pair = (name, value, title) => h("div", { title }, h("dt", {}, name), value);
  const node = h("article", { class: "panel card", "aria-labelledby": id },
    h("header", {}, h("h3", { id }, first.mode),
      h("p", { class: "muted small", title: announced ? ANNOUNCED : null },
        `${first.required_players} players a match · ${announced ? "announced, not confirmed" : "claimed"}`)),
    h("p", { class: "waiting" }, part.waiting, " waiting now"),
    part.picture,
    h("p", { class: "scale muted small", "aria-hidden": "true" }, part.since, h("span", {}, "now")),
    part.empty,
    h("dl", { class: "facts grid" },
      pair("Median wait", part.median, "Of players matched in the last 5 minutes"),
      pair("95 % waited less than", part.p95, "Of players matched in the last 5 minutes"),
      pair("Oldest waits", part.oldest),
      pair(announced ? "Announced a minute" : "Matches a minute", part.rate, announced ? ANNOUNCED : null),
      pair("Being handed over", part.pending)),
    part.parties,
    part.ratings,
    h("div", { class: "part" }, h("h4", {}, "Back to the queue, last hour"), part.causes, part.calm),
    part.holds.node);
  return { node, update: (queue) => update(part, queue) };
}

function update(part, queue) {
  setText(part.waiting, number(queue.waiting));
  setText(part.median, seconds(queue.waits.median));
  setText(part.p95, seconds(queue.waits.p95));
  setText(part.oldest, queue.waiting ? age(queue.oldest) : "–");
  setText(part.rate, rate(queue.matches_a_minute));
  setText(part.pending, number(queue.pending));
  part.holds.update(queue.states);
  const quiet = !queue.matches && !queue.waiting;
  show(part.empty, quiet);
  setText(part.empty, quiet ? `No player has come to ${queue.mode} yet. Try it: matchkeeper demo` : "");
  draw(part, queue);
  parties(part, queue);
  ratings(part, queue);
  const causes = Object.entries(queue.back);
  show(part.calm, causes.length === 0);
  keyed(part.causes, causes, ([cause]) => cause, causeRow);
}

function draw(part, queue) {
  const hour = hours.get(queue.mode) ?? { points: [], at: performance.now() };
  const later = Math.round((performance.now() - hour.at) / 1000);
  const points = [...hour.points.map(([ago, value]) => [ago + later, value]), [0, queue.waiting]]
    .filter(([ago]) => ago <= 3600);
  const most = Math.max(...points.map(([, value]) => value ?? 0));
  const minutes = span(points) / 60;
  const label = `Players waiting in ${queue.mode} over the last ${minutes} minutes: ${number(queue.waiting)} now, at most ${number(most)}`;
  const state = `${label} ${later}`;
  if (part.drawn === state) return;
  part.drawn = state;
  part.picture.replaceChildren(curve(points, label));
  setText(part.since, `${minutes} min ago · at most ${number(most)}`);
}

function ratings(part, queue) {
  const state = JSON.stringify(queue.differences);
  if (part.rated === state) return;
  part.rated = state;
  if (queue.differences === null) return part.ratings.replaceChildren();
  const all = queue.differences.reduce((sum, [, , count]) => sum + count, 0);
  const words = queue.differences.filter(([, , count]) => count)
    .map((bin) => `${binName(bin)}: ${bin[2]}`).join(", ");
  part.ratings.replaceChildren(
    h("h4", {}, "Rating difference of recent matches"),
    all ? histogram(queue.differences, `Rating difference of the last ${plural(all, "match", "matches")}, in points: ${words}`)
      : h("p", { class: "muted small" }, "No match of rated players yet."));
}

function parties(part, queue) {
  if (!queue.parties.length) return part.parties.replaceChildren();
  if (!part.parties.firstChild) part.parties.replaceChildren(sizesTable(part));
  keyed(part.sizes, queue.parties, (each) => each.size, sizeRow);
}

function sizesTable(part) {
  part.sizes = h("tbody");
  const head = (name) => h("th", { scope: "col", class: "number" }, name);
  return h("table", { class: "sizes" },
    h("caption", { title: "Of those matched in the last 5 minutes; a party counts once" }, "Waits by party size"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Came"), head("Matched"), head("Median"), head("95 %"))),
    part.sizes);
}

function sizeRow(first) {
  const cells = [0, 1, 2].map(() => h("td", { class: "number" }));
  const size = { 1: "alone", more: "more than 5" }[first.size] ?? `${first.size} together`;
  const update = (each) => [number(each.tickets), seconds(each.median), seconds(each.p95)]
    .forEach((text, nth) => setText(cells[nth], text));
  return { node: h("tr", {}, h("th", { scope: "row" }, size), ...cells), update };
}

function causeRow([cause]) {
  const count = h("span", { class: "count" });
  const node = h("li", {}, h("span", {}, CAUSES[cause] ?? cause), count);
  return { node, update: ([, players]) => setText(count, number(players)) };
}
