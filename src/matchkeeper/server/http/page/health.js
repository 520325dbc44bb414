// Redis and the game servers.

import { byId, h, keyed, setClass, setText, show } from "./dom.js";
import { age, number, plural, rate, seconds, time } from "./format.js";

const STATES = {
  closed: ["good", "Works"],
  open: ["critical", "Out of reach"],
  half_open: ["warning", "Being tried again"],
  forced_open: ["critical", "Held open by an operator"],
};

export function redis(state) {
  const [mood, words] = STATES[state.state] ?? ["warning", state.state];
  const probe = state.state === "open" && state.seconds_until_probe !== null
    ? `, tried again in ${age(state.seconds_until_probe)}` : "";
  const failures = state.failures ? `, ${plural(state.failures, "failure", "failures")} in a row` : "";
  const rows = [
    ["State", words + probe, mood],
    ["Circuit breaker", state.state.replace("_", " ") + failures],
    ["Latency, median", state.median === null ? "– (nothing answered for a minute)" : seconds(state.median)],
    ["Latency, 95 % below", seconds(state.p95)],
    ["Operations a second", rate(state.operations_a_second)],
    ["Failed within a minute", number(state.failed_in_a_minute), state.failed_in_a_minute ? "warning" : ""],
    ["Last error", state.last_error_at === null ? "none since the start" : `${time(state.last_error_at)} – ${state.last_error}`],
  ];
  keyed(byId("redis"), rows, ([name]) => name, fact);
}

function fact([name]) {
  const value = h("dd");
  const node = h("div", {}, h("dt", {}, name), value);
  return {
    node,
    update: ([, text, mood]) => {
      setText(value, text);
      setClass(value, mood ? `mood ${mood}` : "");
    },
  };
}

export function pods(snapshot) {
  const none = snapshot.pods.length === 0;
  show(byId("pods-table"), !none);
  show(byId("pods-empty"), none);
  if (none) empty(snapshot.subscribers);
  const more = snapshot.pods_left_out ? ` ${plural(snapshot.pods_left_out, "game server is", "game servers are")} left out.` : "";
  const listening = snapshot.subscribers === null ? "" : `${plural(snapshot.subscribers, "connection listens", "connections listen")} for matches.`;
  setText(byId("pods-more"), listening + more);
  keyed(byId("pods"), snapshot.pods.map((pod) => ({ ...pod, listening: snapshot.subscribers })), (pod) => pod.pod_id, podRow);
}

function empty(subscribers) {
  setText(byId("pods-empty"), subscribers
    ? "No game server has had a player or sent a heartbeat since this server started."
    : "No game server yet. Connect one with the Python client, or with any Redis client that subscribes to battle:request; or try: matchkeeper demo");
}

export function cell(label, attributes = {}, ...children) {
  return h("td", { role: "cell", "data-label": label, ...attributes }, ...children);
}

function podRow(first) {
  const number_ = (label) => cell(label, { class: "number" });
  const part = {
    state: h("span"),
    seen: number_("Last seen"),
    offers: number_("Offers"),
    claims: number_("Claims"),
    declines: number_("Declines"),
    median: number_("Time to claim"),
  };
  const node = h("tr", { role: "row" },
    h("th", { role: "rowheader", scope: "row" }, first.pod_id),
    cell("State", {}, part.state), part.seen, part.offers, part.claims, part.declines, part.median);
  return { node, update: (pod) => podUpdate(part, pod) };
}

function podUpdate(part, pod) {
  const [mood, words] = podState(pod);
  setText(part.state, words);
  setClass(part.state, `mood ${mood}`);
  setText(part.seen, pod.left ? "–" : pod.seen_seconds_ago === null ? "no heartbeats" : `${age(pod.seen_seconds_ago)} ago`);
  setText(part.offers, number(pod.offers));
  setText(part.claims, number(pod.claims));
  setText(part.declines, number(pod.declines));
  setText(part.median, seconds(pod.claim_median));
}

function podState(pod) {
  if (pod.left) return ["", "Left"];
  if (pod.silent) return ["critical", "Silent"];
  if (pod.not_started) return ["critical", `Refused, ${pod.not_started} not started`];
  if (pod.unclaimed_in_a_row) return ["warning", `${pod.unclaimed_in_a_row} unclaimed`];
  if (pod.seen_seconds_ago !== null) return ["good", "Works"];
  return pod.listening === 0 ? ["warning", "Gone"] : ["", "In use"];
}
