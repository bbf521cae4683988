// Where one tenant goes, decided here by the table in force and there by the server.

import { signal } from "/vendor/signals.mjs";
import { useEffect } from "/vendor/hooks.mjs";
import { get } from "/api.js";
import { core } from "/core.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { now, open } from "/live.js";
import { explain, Router } from "/page/browser.js";
import { say } from "/said.js";
import { moment } from "/words.js";

const tenant = signal("");
const answer = signal(null);

const MEMBERS = [
  ["region", "Region"],
  ["preferred", "First choice"],
  ["slot", "Slot"],
  ["reason", "Reason"],
  ["error", "Error"],
];

/** Only the newest question is answered. */
let number = 0;

/** Both answers, by one table: what changes between two questions is no disagreement. */
async function both(asked) {
  const path = `/api/v1/route?explain=true&tenant=${encodeURIComponent(asked)}`;
  const server = () => get(path);
  const epoch = ({ epoch: one }) => one;
  const table = async () => {
    try {
      return await get("/api/v1/table");
    } catch (why) {
      // A token for one tenant gets no table: it has everybody's rules.
      if (why.status === 403) return null;
      throw why;
    }
  };
  for (let turn = 0; ; turn += 1) {
    const before = core.value.ready ? await table() : null;
    const there = await server();
    if (before === null) return { here: there, there, agrees: null };
    const here = explain(new Router(before), asked);
    const agrees = JSON.stringify(here) === JSON.stringify(there);
    if (agrees || turn === 2 || epoch(await table()) === epoch(before)) {
      return { here, there, agrees, epoch: epoch(before) };
    }
  }
}

async function lookUp(asked) {
  number += 1;
  const mine = number;
  let found;
  try {
    found = await both(asked);
    const { region, slot, error } = found.there;
    say(error ? `${asked}: ${error}` : `${asked} goes to ${region}, ${slot}.`);
  } catch (why) {
    found = { why: why.message };
    say(why.message);
  }
  if (mine === number) answer.value = { ...found, asked, at: now.peek() };
}

function Compared({ here, there }) {
  const rows = MEMBERS.filter(([name]) => name !== "error" || here.error || there.error);
  return html`<div class="scroll"><table>
    <thead><tr><th scope="col">Member</th><th scope="col">This browser</th><th scope="col">Server</th></tr></thead>
    <tbody>
      ${rows.map(([name, label]) => {
        const differs = (here[name] ?? null) !== (there[name] ?? null);
        const cell = (of) => html`<td class=${differs ? "value differs" : "value"}>${of[name] ?? "none"}</td>`;
        return html`<tr key=${name}><th scope="row">${label}</th>${cell(here)}${cell(there)}</tr>`;
      })}
    </tbody>
  </table></div>`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const link = (asked) => {
  const address = new URL(location.href);
  address.hash = "";
  address.search = new URLSearchParams({ tenant: asked });
  return address.href;
};

/** A browser lets a page write to the clipboard only on this machine or over TLS. */
function Copy({ label, text }) {
  if (!navigator.clipboard) return null;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => say("Copied."),
      (why) => say(why.message),
    );
  return html`<button type="button" class="quiet" onClick=${copy}>${label}</button>`;
}

function Answer() {
  const found = answer.value;
  if (found === null) return null;
  if (found.why !== undefined) {
    return html`<p class="problem">${found.why}</p>`;
  }
  const { here, there, agrees } = found;
  const verdict = agrees
    ? "The server agrees"
    : "The server disagrees: it and this browser decide differently";
  return html`
    ${
      agrees === null
        ? html`<p class="verdict" data-agrees="unknown">The server says so; this browser could not check it</p>`
        : html`<p class="verdict" data-agrees=${agrees ? "yes" : "no"}>${verdict}</p>`
    }
    <${Compared} here=${here} there=${there} />
    <ol class="steps" aria-label="How it was decided">
      ${(here.steps ?? []).map((text, place) => html`<li key=${place}>${text}</li>`)}
    </ol>
    <p class="lead">As of ${moment(found.at, inUtc.value)}${found.epoch === undefined ? "" : `, by table ${found.epoch}`}.</p>
    <p class="typed">From a terminal: <code>halcyon route --explain -- ${quoted(found.asked)}</code>
      <${Copy} label="Copy the command" text=${`halcyon route --explain -- ${quoted(found.asked)}`} />
    </p>
    <p class="typed">To hand on: <a href=${link(found.asked)}>${link(found.asked)}</a>
      <${Copy} label="Copy the link" text=${link(found.asked)} />
    </p>
  `;
}

export function Lookup() {
  useEffect(() => {
    const asked = new URLSearchParams(location.search).get("tenant");
    if (asked === null) return;
    tenant.value = asked;
    lookUp(asked);
  }, []);
  // What could not be had while nobody answered, or without a token, is asked for again.
  useEffect(() => {
    if (open.value && answer.peek()?.why !== undefined) lookUp(answer.peek().asked);
  }, [open.value]);
  const submit = (event) => {
    event.preventDefault();
    const address = new URL(location.href);
    address.searchParams.set("tenant", tenant.value);
    // A look-up can be handed on as a link.
    history.replaceState(null, "", address);
    lookUp(tenant.value);
  };
  return html`<section id="lookup" aria-labelledby="lookup-title" tabindex="-1">
    <h2 id="lookup-title">Where does a tenant go?</h2>
    <p class="lead">
      ${
        core.value.why === null
          ? "Decided twice: by WebAssembly in this browser, and by the server. They have to agree."
          : `WebAssembly could not be loaded here (${core.value.why}): only the server decides.`
      }
    </p>
    <form id="form" onSubmit=${submit}>
      <label for="tenant">Tenant id</label>
      <div class="row">
        <input id="tenant" name="tenant" autocomplete="off" autocapitalize="none" spellcheck="false" required value=${tenant} onInput=${(event) => {
          tenant.value = event.target.value;
        }} />
        <button type="submit">Look up</button>
      </div>
    </form>
    <div id="answer"><${Answer} /></div>
  </section>`;
}
