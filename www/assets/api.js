// Asking the control plane, with a token if somebody has given one.

import { signal } from "/vendor/signals.mjs";

/** By how much the server's clock is ahead of this one, in milliseconds; small differences are those of the way. */
export const skew = signal(0);
/** How often a request was refused because of who asks. */
export const refusals = signal(0);

/** The token, for as long as the page is open; it is stored nowhere. */
export const token = signal("");

const headers = (more) => {
  const all = { accept: "application/json", ...more };
  if (token.value !== "") all.authorization = `Bearer ${token.value}`;
  return all;
};

/** What is wrong, in the server's words where it has any. */
function refused(path, { status }, text) {
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    // Somebody between has answered.
  }
  const why = new Error(said.detail ?? `${path}: HTTP ${status}`);
  why.status = status;
  why.problems = said.problems;
  return why;
}

/** No answer takes as long as this; what waits for one for ever would never be asked for again. */
const PATIENCE = 15_000;
/** The time of an answer is told in whole seconds, and it takes a moment to come. */
const NEAR = 2_000;

function compare(date) {
  const ahead = Date.parse(date ?? "") + 500 - Date.now();
  if (!Number.isNaN(ahead)) skew.value = Math.abs(ahead) < NEAR ? 0 : ahead;
}

async function answered(path, asked) {
  const answer = await fetch(path, { ...asked, signal: AbortSignal.timeout(PATIENCE) });
  const text = await answer.text();
  compare(answer.headers.get("date"));
  if (answer.status === 401) refusals.value += 1;
  if (!answer.ok) throw refused(path, answer, text);
  return text;
}

/** A key that nobody else has. Not randomUUID, which a page has only on this machine or over TLS. */
function unique() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of an answer, as text. */
export const getText = (path) => answered(path, { headers: headers() });

export const get = async (path) => JSON.parse(await getText(path));

/** Changes something, once whatever happens to the answer. */
export function change(method, path, body, more) {
  const key = unique();
  const asked = { "content-type": "application/json", "idempotency-key": key, ...more };
  return answered(path, {
    method,
    headers: headers(asked),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** The events of a stream, from behind `last` on. */
export async function* events(path, last, signal) {
  const more = { accept: "text/event-stream" };
  if (last !== null) more["last-event-id"] = last;
  const answer = await fetch(path, { headers: headers(more), signal });
  if (!answer.ok) throw refused(path, answer, await answer.text());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const frames = text.split("\n\n");
    text = frames.pop();
    for (const frame of frames) yield parsed(frame);
  }
}

function parsed(frame) {
  const event = { event: "message", id: null, data: null };
  for (const line of frame.split("\n")) {
    const at = line.indexOf(":");
    const name = line.slice(0, at);
    const value = line.slice(at + 1).replace(/^ /, "");
    if (name === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    if (name === "event" || name === "id") event[name] = value;
  }
  return event;
}
