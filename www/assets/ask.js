// Something to be done to the control plane, and the question before it. The server decides; a button only asks.

import { useEffect, useRef } from "/vendor/hooks.mjs";
import { signal } from "/vendor/signals.mjs";
import { html } from "/html.js";
import { say } from "/said.js";

/** What is being asked, of what, as it was when somebody asked. */
const asked = signal(null);
/** What came of the last command, and of what it was one. */
const came = signal(null);
/** Where a question was that has been closed: the keyboard goes on there. */
const left = signal(null);
const reason = signal("");

/** What went wrong, each problem on its own. */
export function Problems({ label, why }) {
  const all = why.problems ?? [];
  return html`<div class="problem">
    ${label}: ${all.length > 1 ? html`<ul>${all.map((text) => html`<li>${text}</li>`)}</ul>` : why.message}
  </div>`;
}

function close(of) {
  asked.value = null;
  reason.value = "";
  left.value = of;
}

async function run(of, { label, act }) {
  const text = reason.value.trim();
  close(of);
  came.value = { of, label, pending: true };
  try {
    await act(text === "" ? undefined : text);
    came.value = { of, label };
    say(`${label}: done.`);
  } catch (why) {
    came.value = { of, label, why };
    say(`${label}: ${why.message}`);
  }
}

function Question({ of, command, basis }) {
  const form = useRef(null);
  const missing = command.reason === "needed" && reason.value.trim() === "";
  const field = `reason-${of}`;
  useEffect(() => {
    form.current.querySelector("input, button").focus();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    if (!missing) run(of, command);
  };
  const escape = (event) => {
    if (event.key === "Escape") close(of);
  };
  return html`<form class="confirm" ref=${form} onSubmit=${submit} onKeyDown=${escape}>
    <p>${command.ask}</p>
    ${command.basis !== basis && html`<p class="bad">▲ Something has changed since you asked.</p>`}
    ${
      command.reason &&
      html`<label for=${field}>Why ${command.reason === "optional" && "(optional)"}</label>
        <input id=${field} autocomplete="off" value=${reason} onInput=${(event) => {
          reason.value = event.target.value;
        }} />`
    }
    <div class="row">
      <button type="submit" disabled=${missing}>${command.label}</button>
      <button type="button" class="quiet" onClick=${() => close(of)}>Leave it</button>
    </div>
  </form>`;
}

function Outcome({ of }) {
  const done = came.value;
  if (done === null || done.of !== of) return null;
  if (done.why) return html`<${Problems} label=${done.label} why=${done.why} />`;
  return html`<p class="done">${done.label}: ${done.pending ? "asked" : "done"}.</p>`;
}

/**
 * Buttons for what can be done to something: each a `label`, a question to `ask`, whether a `reason` is "needed" or
 * "optional", and what to do then, `act(reason)`. What was asked is what is done, whatever has become of `basis`.
 */
export function Commands({ of, commands, basis = null }) {
  const place = useRef(null);
  const question = asked.value?.of === of ? asked.value.command : null;
  useEffect(() => {
    if (question !== null || left.value !== of) return;
    left.value = null;
    place.current?.querySelector("button")?.focus();
  }, [question]);
  return html`
    <${Outcome} of=${of} />
    ${question && html`<${Question} of=${of} command=${question} basis=${basis} />`}
    ${
      !question && commands.length > 0 &&
      html`<div class="row" ref=${place}>
        ${commands.map(
          (command) => html`<button type="button" class="quiet" key=${command.label} onClick=${() => {
            asked.value = { of, command: { ...command, basis } };
            came.value = null;
            reason.value = "";
          }}>${command.label}</button>`,
        )}
      </div>`
    }
  `;
}
