// The audit chain, verified by the core in this browser: nobody has to believe the server.

import { effect, signal } from "/vendor/signals.mjs";
import { getText, token } from "/api.js";
import { core } from "/core.js";
import { html } from "/html.js";
import { open } from "/live.js";

/** What was found last; null before that. */
export const found = signal(null);
/** Why the records could not be had the last time. */
const unread = signal(null);
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

async function check() {
  if (busy.value || !core.value.ready) return;
  busy.value = true;
  try {
    const parts = [];
    for (let after = 0; ; after += PAGE) {
      const page = lines(await getText(`/api/v1/audit?after=${after}&limit=${PAGE}`));
      if (page.length > 0 && page[0] !== "") parts.push(page.join("\n"), "\n");
      if (page.length < PAGE) break;
    }
    const { verify: chained } = await import("/page/browser.js");
    found.value = chained(parts.join(""));
    unread.value = null;
  } catch (why) {
    // Nothing is known of it then: what was found before stands.
    unread.value = why.message;
  }
  busy.value = false;
}

/** Verifies now, from time to time, and whenever the server is there again or somebody else asks. */
export function verify() {
  effect(() => {
    // Later, or this would begin anew with whatever that reads.
    if (open.value || token.value !== "") setTimeout(check);
  });
  setInterval(check, AGAIN);
}

/** At the top of the page, where it is broken. */
export function Alarm() {
  if (found.value?.valid !== false) return null;
  return html`<p class="problem alarm">■ The audit chain is broken: ${found.value.errors.slice(0, 3).join("; ")}</p>`;
}

/** At the timeline: up to where it verifies. */
export function Chain() {
  if (!core.value.ready) return null;
  const why = unread.value && html`<p class="lead">The records could not be had to verify them: ${unread.value}</p>`;
  if (found.value === null) return why;
  const { valid, records, head } = found.value;
  const short = valid ? head.split(":")[1].slice(0, 12) : "";
  return html`${why}<p class="chain">
    ${
      valid
        ? html`<span class="good">● Verified by this browser</span> up to #${records}, <code>${short}</code>…`
        : html`<span class="bad">■ Not verified</span>`
    }
    <button type="button" class="quiet" disabled=${busy.value} onClick=${check}>Verify again</button>
  </p>`;
}
