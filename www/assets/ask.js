// Something to be done to the control plane, and the question before it. The server decides; a button only asks.

import { signal } from "/vendor/signals.mjs";
import { html } from "/html.js";

/** What is being asked: of what, and which command. */
const asked = signal(null);
/** What came of the last command, and of what it was one. */
const came = signal(null);
const reason = signal("");

/** What went wrong, each problem on its own. */
export function Problems({ label, why }) {
  const all = why.problems ?? [];
  return html`<div class="problem" role="alert">
    ${label}: ${all.length > 1 ? html`<ul>${all.map((text) => html`<li>${text}</li>`)}</ul>` : why.message}
  </div>`;
}

async function run(of, { label, act }) {
  const text = reason.value.trim();
  asked.value = null;
  reason.value = "";
  try {
    await act(text === "" ? undefined : text);
    came.value = { of, label };
  } catch (why) {
    came.value = { of, label, why };
  }
}

function Question({ of, command }) {
  const missing = command.reason === "needed" && reason.value.trim() === "";
  const field = `reason-${of}`;
  const submit = (event) => {
    event.preventDefault();
    if (!missing) run(of, command);
  };
  return html`<form class="confirm" onSubmit=${submit}>
    <p>${command.ask}</p>
    ${
      command.reason &&
      html`<label for=${field}>Why ${command.reason === "optional" && "(optional)"}</label>
        <input id=${field} autocomplete="off" value=${reason} onInput=${(event) => {
          reason.value = event.target.value;
        }} />`
    }
    <div class="row">
      <button type="submit" disabled=${missing}>${command.label}</button>
      <button type="button" class="quiet" onClick=${() => {
        asked.value = null;
      }}>Leave it</button>
    </div>
  </form>`;
}

function Outcome({ of }) {
  const done = came.value;
  if (done === null || done.of !== of) return null;
  if (done.why) return html`<${Problems} label=${done.label} why=${done.why} />`;
  return html`<p class="done" role="status">${done.label}: done.</p>`;
}

/**
 * Buttons for what can be done to something: each a `label`, a question to `ask`, whether a `reason` is "needed" or
 * "optional", and what to do then, `act(reason)`.
 */
export function Commands({ of, commands }) {
  const open = asked.value?.of === of ? asked.value.label : null;
  const question = commands.find(({ label }) => label === open);
  return html`
    <${Outcome} of=${of} />
    ${
      question
        ? html`<${Question} of=${of} command=${question} />`
        : commands.length > 0 &&
          html`<div class="row">
            ${commands.map(
              ({ label }) => html`<button type="button" class="quiet" onClick=${() => {
                asked.value = { of, label };
                came.value = null;
                reason.value = "";
              }}>${label}</button>`,
            )}
          </div>`
    }
  `;
}
