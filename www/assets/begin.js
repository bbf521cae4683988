// A release begun from the page: what somebody would type, as a form.

import { signal } from "/vendor/signals.mjs";
import { change } from "/api.js";
import { Problems } from "/ask.js";
import { html } from "/html.js";
import { say } from "/said.js";

const open = signal(false);
/** What somebody has written, field by field. */
const wish = signal({});
/** Whether it is being looked at once more before it is done. */
const sure = signal(false);
const failed = signal(null);

const FIELDS = [
  { name: "image_green", label: "New image", needed: true },
  { name: "image_blue", label: "Image that serves now" },
  { name: "canary_seq", label: "Steps in percent", start: "5, 25, 50", needed: true },
  { name: "timeout_s", label: "Seconds a step", start: "60", numeric: true, needed: true },
  { name: "max_error_rate", label: "Errors allowed, in percent", hint: "no limit", numeric: true },
  { name: "max_p95_ms", label: "P95 allowed, in ms", hint: "no limit", numeric: true },
];

const begin = ({ blue_image: blue }) => {
  const start = Object.fromEntries(FIELDS.map(({ name, start: text }) => [name, text ?? ""]));
  wish.value = { ...start, image_blue: blue ?? "", abort_on_err: true };
  failed.value = null;
  sure.value = false;
  open.value = true;
};

/** A number as the server takes it; what is none is sent as it is, and refused in the server's words. */
const number = (text) => {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
};

/** The body of the request. What was left empty is left out. */
function body() {
  const { image_green, image_blue, canary_seq, timeout_s, max_error_rate, max_p95_ms, abort_on_err } = wish.value;
  const rate = number(max_error_rate);
  const all = {
    image_green: image_green.trim(),
    image_blue: image_blue.trim(),
    canary_seq: canary_seq.split(/[\s,]+/).filter((part) => part !== "").map(number),
    timeout_s: number(timeout_s),
    // From percent, and without the noise of a division in binary.
    max_error_rate: typeof rate === "number" ? Number((rate / 100).toFixed(8)) : rate,
    max_p95_ms: number(max_p95_ms),
    abort_on_err,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

async function give() {
  try {
    await change("POST", "/api/v1/releases", body());
    open.value = false;
    say("The release has begun.");
  } catch (why) {
    failed.value = why;
    say(`Not begun: ${why.message}`);
  }
  sure.value = false;
}

function Field({ field }) {
  const id = `begin-${field.name}`;
  return html`<div class="field">
    <label for=${id}>${field.label}</label>
    <input id=${id} autocomplete="off" spellcheck="false" inputmode=${field.numeric ? "decimal" : undefined} placeholder=${field.hint} required=${field.needed === true} value=${wish.value[field.name]} onInput=${(event) => {
      wish.value = { ...wish.value, [field.name]: event.target.value };
      sure.value = false;
    }} />
  </div>`;
}

function summary({ image_green: green, canary_seq: steps, timeout_s: seconds, ...more }) {
  const share = steps.map((step) => `${step} %`).join(", then ");
  const limits = [
    more.max_error_rate !== undefined && `more than ${wish.value.max_error_rate} % of its requests fail`,
    more.max_p95_ms !== undefined && `its P95 is above ${more.max_p95_ms} ms`,
  ].filter((text) => text !== false);
  const when = ["a check fails", ...limits].join(", or ");
  const then = more.abort_on_err ? "go back by itself" : "go on with a warning";
  return `Give ${green} to ${share} of all tenants and then to everybody, ${seconds} s a step, and ${then} where ${when}?`;
}

/** The button, and the form behind it. */
export function Begin({ release }) {
  if (!open.value) {
    return html`<div class="row"><button type="button" class="quiet" onClick=${() => begin(release)}>Begin a release</button></div>`;
  }
  const submit = (event) => {
    event.preventDefault();
    failed.value = null;
    if (sure.value) give();
    else sure.value = true;
  };
  return html`<form class="confirm" aria-label="A new release" onSubmit=${submit}>
    <div class="fields">${FIELDS.map((field) => html`<${Field} key=${field.name} field=${field} />`)}</div>
    <label class="check"><input type="checkbox" checked=${wish.value.abort_on_err} onChange=${(event) => {
      wish.value = { ...wish.value, abort_on_err: event.target.checked };
      sure.value = false;
    }} /> Go back by itself where a check or a limit fails</label>
    ${failed.value !== null && html`<${Problems} label="Not begun" why=${failed.value} />`}
    ${sure.value && html`<p>${summary(body())}</p>`}
    <div class="row">
      <button type="submit">${sure.value ? "Begin it" : "Look at it once more"}</button>
      <button type="button" class="quiet" onClick=${() => {
        open.value = false;
      }}>Leave it</button>
    </div>
  </form>`;
}
