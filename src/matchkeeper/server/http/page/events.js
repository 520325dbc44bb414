// The last events, newest first.

import { byId, h, keyed, setClass, setText, show } from "./dom.js";
import { iso, number, time } from "./format.js";

const LEVELS = { info: "Info", warning: "Warning", error: "Error", critical: "Critical" };

export function render(lines) {
  show(byId("events-empty"), lines.length === 0);
  keyed(byId("events"), lines.slice(0, 50), (line) => line.row, row);
}

function row() {
  const part = { at: h("time"), level: h("span"), text: h("span"), times: h("span", { class: "times muted" }) };
  const node = h("li", {}, part.at, part.level, h("span", { class: "what" }, part.text, part.times));
  return {
    node,
    update: (line) => {
      setText(part.at, time(line.at));
      part.at.setAttribute("datetime", iso(line.at));
      setText(part.level, LEVELS[line.level] ?? line.level);
      setClass(part.level, `level ${line.level}`);
      setText(part.text, line.text);
      setText(part.times, line.times > 1 ? ` · ${number(line.times)} times since ${time(line.first_at)}` : "");
    },
  };
}
