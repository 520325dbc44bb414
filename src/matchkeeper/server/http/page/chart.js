// Two small pictures: a curve and a histogram. Each says in words what it shows.

import { number } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

function s(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function picture(width, height, label, name) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: name });
}

// How far back the curve goes: as far as is known, in steps that read well.
export function span(points) {
  const oldest = points.length ? points[0][0] : 0;
  return [600, 1800].find((each) => oldest <= each) ?? 3600;
}

// `points`: [seconds ago, value or null], oldest first. Where nothing is known the line has a gap.
export function curve(points, label) {
  const [width, height, edge] = [300, 56, 3];
  const known = points.filter(([, value]) => value !== null);
  const top = Math.max(4, ...known.map(([, value]) => value));
  const far = span(points);
  const x = (ago) => ((1 - ago / far) * (width - 2 * edge) + edge).toFixed(1);
  const y = (value) => (height - edge - (value / top) * (height - 2 * edge)).toFixed(1);
  const svg = picture(width, height, label, "curve");
  svg.append(s("line", { x1: 0, x2: width, y1: height - edge, y2: height - edge, class: "axis" }));
  for (const run of runs(points)) {
    const line = run.map(([ago, value]) => `${x(ago)},${y(value)}`).join(" ");
    const floor = height - edge;
    svg.append(
      s("polygon", { points: `${x(run[0][0])},${floor} ${line} ${x(run.at(-1)[0])},${floor}`, class: "area" }),
      s("polyline", { points: line, class: "line" }),
    );
  }
  const last = points.at(-1);
  if (last && last[1] !== null) {
    svg.append(s("circle", { cx: x(last[0]), cy: y(last[1]), r: 3, class: "now" }));
  }
  return svg;
}

function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length);
}

export const binName = ([from, below]) => (below === null ? `${from}+` : `${from} to ${below}`);

// `bins`: [from, below or null, count].
export function histogram(bins, label) {
  const [width, height, floor] = [300, 84, 66];
  const step = width / bins.length;
  const top = Math.max(1, ...bins.map(([, , count]) => count));
  const svg = picture(width, height, label, "histogram");
  bins.forEach(([from, below, count], index) => {
    const tall = (count / top) * (floor - 14);
    const middle = index * step + step / 2;
    svg.append(s("rect", {
      x: index * step + 2, y: floor - tall, width: step - 4, height: Math.max(tall, 1), rx: 1.5,
      class: count ? "bar" : "bar none",
    }));
    if (count) svg.append(s("text", { x: middle, y: floor - tall - 4, class: "count" }, number(count)));
    svg.append(s("text", { x: middle, y: height - 4, class: "tick" }, below === null ? `${from}+` : `<${below}`));
  });
  svg.append(s("line", { x1: 0, x2: width, y1: floor + 0.5, y2: floor + 0.5, class: "axis" }));
  return svg;
}
