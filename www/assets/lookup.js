// Where one tenant goes, decided here by the table in force and there by the server.

import { signal } from "/vendor/signals.mjs";
import { useEffect } from "/vendor/hooks.mjs";
import { get } from "/api.js";
import { core } from "/core.js";
import { html } from "/html.js";
import { explain, Router } from "/page/browser.js";

const tenant = signal("");
const answer = signal(null);

const MEMBERS = [
  ["region", "Region"],
  ["preferred", "First choice"],
  ["slot", "Slot"],
  ["reason", "Reason"],
  ["error", "Error"],
];

async function lookUp(asked) {
  try {
    if (!core.value.ready) {
      const there = await get(`/api/v1/route?explain=true&tenant=${encodeURIComponent(asked)}`);
      answer.value = { here: there, there, agrees: null };
      return;
    }
    const path = `/api/v1/route?explain=true&tenant=${encodeURIComponent(asked)}`;
    const [there, table] = await Promise.all([get(path), get("/api/v1/table")]);
    const here = explain(new Router(table), asked);
    answer.value = { here, there, agrees: JSON.stringify(here) === JSON.stringify(there) };
  } catch (why) {
    answer.value = { why: why.message, agrees: false };
  }
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

function Answer() {
  const found = answer.value;
  if (found === null) return null;
  if (found.why !== undefined) {
    return html`<p class="verdict" data-agrees="no">${found.why}</p>`;
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
    <p class="typed">From a terminal: <code>halcyon route --explain ${quoted(here.tenant ?? tenant.value)}</code></p>
  `;
}

export function Lookup() {
  useEffect(() => {
    const asked = new URLSearchParams(location.search).get("tenant");
    if (asked !== null) {
      tenant.value = asked;
      lookUp(asked);
    }
  }, []);
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
