// The audit chain, verified by the core in this browser: nobody has to believe the server.

import { signal } from "/vendor/signals.mjs";
import { getText } from "/api.js";
import { core } from "/core.js";
import { html } from "/html.js";
import { verify } from "/page/browser.js";

/** What was found last; null before that. */
const found = signal(null);
const busy = signal(false);

const PAGE = 1_000;
/** How often it is verified again by itself. */
const AGAIN = 300_000;

/** Each record as it stands in the log, byte for byte: only so it can be verified. Quotes in texts are escaped. */
function lines(text) {
  const from = text.indexOf("[") + 1;
  const body = text.slice(from, text.lastIndexOf("]"));
  const all = body.match(/\{.*?"hash":"[0-9a-f]{64}"\}(?=,|$)/gs) ?? [];
  const { records } = JSON.parse(text);
  // What does not end as a record does is no record, and is to be found as one that does not verify.
  return all.length === records.length ? all : [body];
}

export async function check() {
  if (busy.value || !core.value.ready) return;
  busy.value = true;
  try {
    const parts = [];
    for (let after = 0; ; after += PAGE) {
      const page = lines(await getText(`/api/v1/audit?after=${after}&limit=${PAGE}`));
      if (page.length > 0 && page[0] !== "") parts.push(page.join("\n"), "\n");
      if (page.length < PAGE) break;
    }
    found.value = verify(parts.join(""));
  } catch (why) {
    found.value = { valid: null, errors: [why.message] };
  }
  busy.value = false;
}

setInterval(check, AGAIN);

/** At the top of the page, where something is wrong. */
export function Alarm() {
  if (found.value === null || found.value.valid === true) return null;
  const broken = found.value.valid === false;
  const what = broken ? "The audit chain is broken" : "The audit chain cannot be verified";
  return html`<p class="problem alarm" role="alert">■ ${what}: ${found.value.errors.slice(0, 3).join("; ")}</p>`;
}

/** At the timeline: up to where it verifies. */
export function Chain() {
  if (!core.value.ready || found.value === null) return null;
  const { valid, records, head } = found.value;
  const short = valid ? head.split(":")[1].slice(0, 12) : "";
  return html`<p class="chain">
    ${
      valid
        ? html`<span class="good">● Verified by this browser</span> up to #${records}, <code>${short}</code>…`
        : html`<span class="bad">■ Not verified</span>`
    }
    <button type="button" class="quiet" disabled=${busy.value} onClick=${check}>Verify again</button>
  </p>`;
}
