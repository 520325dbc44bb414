// Elements and text. What strangers sent only ever becomes text: nothing here parses HTML.

export const byId = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((each) => each !== null && each !== undefined));
  return node;
}

// Only what differs is written, so that selections and screen readers are left alone.
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// Keeps one child of `parent` per item: `make(item)` gives {node, update}. Children stay the same
// elements while their key stays, and with them the focus.
const kept = new WeakMap();

export function keyed(parent, items, keyOf, make) {
  if (!kept.has(parent)) kept.set(parent, new Map());
  const rows = kept.get(parent);
  const wanted = new Set(items.map(keyOf));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.node.remove();
    rows.delete(key);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (!rows.has(key)) rows.set(key, make(item));
    const row = rows.get(key);
    row.update(item);
    if (row.node === place) place = place.nextElementSibling;
    else parent.insertBefore(row.node, place);
  }
}

// A dialog with one form: resolves to true when the form was sent and `send` did not throw.
export function ask(dialog, wrong, send) {
  const form = dialog.querySelector("form");
  const button = form.querySelector("button[type=submit]");
  const before = document.activeElement;
  setText(wrong, "");
  return new Promise((resolve) => {
    const end = new AbortController();
    const once = { signal: end.signal };
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await send();
        done = true;
        dialog.close();
      } catch (error) {
        setText(wrong, error.message);
      } finally {
        button.disabled = false;
      }
    }, once);
    for (const each of dialog.querySelectorAll("[data-close]")) {
      each.addEventListener("click", () => dialog.close(), once);
    }
    dialog.addEventListener("close", () => {
      end.abort();
      if (before?.isConnected) before.focus();
      resolve(done);
    }, once);
    dialog.showModal();
  });
}
