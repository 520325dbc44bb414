"""Programs for the browser: what is hard to read on a page, and what a screen reader misses."""

from __future__ import annotations

# Every text against what is behind it; 4.5 to 1 is what WCAG AA asks for.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest('noscript, svg, dialog:not([open])')) continue;
    if (!node.checkVisibility()) continue;
    const [one, other] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) poor.push(`${node.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

# What a screen reader needs: names, headings in order, headers of tables, one language.
GAPS = """() => {
  const gaps = [];
  const seen = (node) => node.checkVisibility();
  for (const node of document.querySelectorAll('button, input, textarea, a[href], summary')) {
    const label = node.labels?.[0]?.textContent || node.getAttribute('aria-label') || '';
    if (!(label || node.textContent).trim()) gaps.push(`no name: ${node.outerHTML}`);
  }
  let level = 0;
  for (const node of document.querySelectorAll('h1, h2, h3, h4')) {
    if (!seen(node)) continue;
    const now = Number(node.tagName[1]);
    if (now > level + 1) gaps.push(`heading skips: ${node.textContent}`);
    level = now;
  }
  if (document.querySelectorAll('h1').length !== 1) gaps.push('not one h1');
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent.trim()) gaps.push(`no caption: ${table.id}`);
    for (const th of table.querySelectorAll('th')) {
      if (!th.scope) gaps.push(`no scope: ${th.textContent}`);
    }
    for (const tr of table.querySelectorAll('tbody tr')) {
      if (!tr.querySelector('th[scope=row]')) gaps.push(`no row header: ${tr.textContent}`);
    }
  }
  for (const image of document.querySelectorAll('img:not([alt]), svg:not([aria-label])')) {
    gaps.push(`no text: ${image.outerHTML.slice(0, 60)}`);
  }
  for (const node of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
    const ids = `${node.getAttribute('aria-labelledby') ?? ''} ${node.getAttribute('aria-describedby') ?? ''}`;
    for (const id of ids.split(' ').filter(Boolean)) {
      if (!document.getElementById(id)) gaps.push(`nothing has the id ${id}`);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) gaps.push(`twice: ${id}`);
  if (!document.documentElement.lang) gaps.push('no language');
  if (document.querySelectorAll('main').length !== 1) gaps.push('not one main');
  return gaps;
}"""  # noqa: E501  # one line of a program that a browser reads
