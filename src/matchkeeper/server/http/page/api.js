// Calls to the server. Changes carry the token, which is asked for once and kept in this tab only.

import { ask, byId } from "./dom.js";

const KEY = "matchkeeper-token";
const DEADLINE_MS = 10000;

export async function call(method, path, { body, token } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new Error("The server does not answer. Try again when the page is connected.");
  }
  const read = await answer.json().catch(() => null);
  if (answer.ok) return read;
  const { message = `The server answered ${answer.status}`, hint = "" } = read?.error ?? {};
  throw Object.assign(new Error(hint ? `${message}. ${hint}` : message), { status: answer.status });
}

// A change. Resolves to null when the person did not want to give a token.
export async function change(method, path, body) {
  const token = sessionStorage.getItem(KEY);
  if (token) {
    try {
      return await call(method, path, { body, token });
    } catch (error) {
      if (error.status !== 401) throw error;
      sessionStorage.removeItem(KEY);
    }
  }
  return withNewToken(method, path, body);
}

async function withNewToken(method, path, body) {
  const field = byId("token");
  let result = null;
  let other = null;
  field.value = "";
  const done = await ask(byId("token-dialog"), byId("token-wrong"), async () => {
    const token = field.value.trim();
    // A header carries no other characters; no token has any.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error("A token has visible ASCII characters only.");
    try {
      result = await call(method, path, { body, token });
      sessionStorage.setItem(KEY, token);
    } catch (error) {
      if (error.status === 401) throw new Error("This is not the token of this server.");
      // The token was right, or did not matter: the rest is told where the change was asked for.
      if (error.status !== 403 && error.status !== undefined) sessionStorage.setItem(KEY, token);
      other = error;
    }
  });
  field.value = "";
  if (other) throw other;
  return done ? result : null;
}

export const segment = (text) => encodeURIComponent(text);
