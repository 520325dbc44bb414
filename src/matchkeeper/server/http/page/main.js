// Puts the parts of the page together.

import * as banner from "./banner.js";
import * as demo from "./demo.js";
import { byId, setClass, setText } from "./dom.js";
import * as events from "./events.js";
import { age } from "./format.js";
import * as health from "./health.js";
import * as letters from "./letters.js";
import { Live } from "./live.js";
import * as matches from "./matches.js";
import * as offline from "./offline.js";
import * as queues from "./queues.js";
import * as search from "./search.js";

const FIRST_MS = 3000;
const STATES = {
  connecting: ["warning", "Connecting"],
  live: ["good", "Live"],
  reconnecting: ["critical", "Reconnecting"],
  silent: ["critical", "No news"],
};

let last = null;

function hear(name, data, back) {
  if (name === "events") return events.render(data);
  if (name === "hour") return queues.hear(data);
  last = data;
  if (back) {
    letters.forget();
    demo.look(data.demo);
    offline.keep();
  }
  const named = data.realm ? `${data.version} · realm ${data.realm}` : data.version;
  setText(byId("server"), `${named} · ${data.phase} · up ${age(data.up_seconds)}`);
  banner.render(data, true);
  queues.render(data.queues);
  health.redis(data.redis);
  health.pods(data);
  letters.hear(data.queues);
  matches.hear(data.queues);
}

function state(name, old) {
  const [mood, words] = STATES[name];
  setClass(byId("link"), `pill ${mood}`);
  // The age changes every second: said by sight only, or screen readers would never be silent.
  setText(byId("link-text"), words);
  byId("link").dataset.age = old === null || name === "live" ? "" : `, ${age(old / 1000)} old`;
  document.body.classList.toggle("stale", name !== "live" && old !== null);
  const lost = name === "reconnecting" || name === "silent" || (name === "connecting" && performance.now() > FIRST_MS);
  if (lost) banner.render(last, false);
}

search.begin();
letters.begin();
matches.begin();
new Live({ onEvent: hear, onState: state });
