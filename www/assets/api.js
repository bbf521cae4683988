// Asking the control plane, with a token if somebody has given one.

import { signal } from "/vendor/signals.mjs";

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

async function answered(path, asked) {
  const answer = await fetch(path, asked);
  const text = await answer.text();
  if (!answer.ok) throw refused(path, answer, text);
  return text;
}

/** The bytes of an answer, as text. */
export const getText = (path) => answered(path, { headers: headers() });

export const get = async (path) => JSON.parse(await getText(path));

/** Changes something, once whatever happens to the answer. */
export function change(method, path, body, more) {
  const key = crypto.randomUUID();
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
  if (!answer.ok) {
    const why = new Error(`HTTP ${answer.status}`);
    why.status = answer.status;
    throw why;
  }
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
