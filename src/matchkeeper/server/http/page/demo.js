// "Break things": only where the server is a demo, and has controls.

import { call, segment } from "./api.js";
import { byId, h, keyed, setClass, setText, show } from "./dom.js";
import { number } from "./format.js";

const EVERY_MS = 1000;
const FIGURES = [["players", "Players"], ["matched", "Matched"], ["lost", "Lost"], ["doubled", "Doubled"]];

let timer = 0;

// Each time the page has found a server, which says whether it has controls.
export async function look(there) {
  clearTimeout(timer);
  if (!there) return show(byId("demo"), false);
  try {
    render(await call("GET", "demo"));
    timer = setTimeout(look, EVERY_MS, there);
  } catch {
    timer = setTimeout(look, 3 * EVERY_MS, there);
  }
}

function render(state) {
  show(byId("demo"), true);
  keyed(byId("demo-figures"), FIGURES, ([name]) => name, figure(state.figures));
  keyed(byId("demo-controls"), state.controls, (control) => control.name, control);
  for (const [name] of FIGURES) {
    const node = byId(`demo-${name}`);
    // While Redis is away nobody can know who is lost.
    setText(node, name === "lost" && !state.figures.known ? "unknown" : number(state.figures[name]));
    const bad = (name === "lost" || name === "doubled") && state.figures[name] > 0;
    setClass(node, bad ? "wrong" : "");
  }
}

const figure = (figures) => ([name, words]) => ({
  node: h("div", {}, h("dt", {}, words), h("dd", { id: `demo-${name}` }, number(figures[name]))),
  update: () => {},
});

function control(first) {
  const what = h("span", { class: "muted small", id: `demo-what-${first.name}` });
  const button = h("button", { type: "button", "aria-describedby": what.id, onclick: () => press(first) });
  return {
    node: h("div", { class: "control" }, button, what),
    update: (now) => {
      const on = now.kind === "toggle" && now.on;
      setText(button, on ? `${now.label} – on` : now.label);
      setClass(button, on ? "danger" : "");
      if (now.kind === "toggle") button.setAttribute("aria-pressed", String(now.on));
      setText(what, now.what);
    },
  };
}

async function press(control) {
  try {
    render(await call("POST", `demo/${segment(control.name)}`));
    setText(byId("demo-said"), "");
  } catch (error) {
    setText(byId("demo-said"), `Not done: ${error.message}`);
  }
}
