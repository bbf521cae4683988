// What probes have said lately: asked for every few seconds, while somebody looks.

import { signal } from "/vendor/signals.mjs";
import { get } from "/api.js";
import { html } from "/html.js";
import { inUtc } from "/header.js";
import { doubtful, now, snapshot } from "/live.js";
import { moment, span } from "/words.js";

/** Each region's last probes and its downtime today, by name. */
const lately = signal(new Map());
/** Why they could not be had the last time. */
export const unheard = signal(null);

const KEPT = 40;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks for them for ever. */
export async function watch() {
  for (;;) {
    let rest = 1_000;
    if (!document.hidden && snapshot.value?.watching) {
      try {
        const { interval_ms: interval, regions } = await get("/api/v1/probes");
        lately.value = new Map(regions.map((region) => [region.name, region]));
        unheard.value = null;
        rest = Math.min(Math.max(interval, rest), 5_000);
      } catch (why) {
        unheard.value = why.message;
        rest = 5_000;
      }
    }
    await pause(rest);
  }
}

const ago = (at) => `${span(now.value - Date.parse(at))} ago`;

/** Each of the last probes, the newest at the right: one that failed is of another height and colour. */
export function Strip({ name }) {
  const region = lately.value.get(name);
  if (region === undefined || region.probes.length === 0) return null;
  const { probes } = region;
  const passed = probes.filter(({ failed }) => failed === null).length;
  const label = `${passed} of the last ${probes.length} probes passed`;
  const empty = Array.from({ length: KEPT - probes.length });
  return html`<div class="strip" role="img" aria-label=${label} data-old=${doubtful.value}>
    ${empty.map(() => html`<i></i>`)}
    ${probes.map(({ at, ms, failed }) => html`<i key=${at} data-probe=${failed === null ? "passed" : "failed"} title=${`${moment(at, inUtc.value)}: ${failed ?? `${ms} ms`}`}></i>`)}
  </div>`;
}

/** When it was asked last, and for how long it was down today. */
export function Checked({ name }) {
  const region = lately.value.get(name);
  const last = region?.probes.at(-1);
  if (last === undefined) return null;
  const down = region.downs === 0 ? "no downtime today (UTC)" : `down ${span(region.down_ms)} today (UTC)`;
  const times = region.downs > 1 ? `, ${region.downs} times` : "";
  return html`<p class="checked">Checked ${ago(last.at)}; ${down}${times}</p>`;
}

/** Why probes failed, each reason once, the newest first. */
function reasons(failed) {
  const all = new Map();
  for (const { at, failed: why } of [...failed].reverse()) {
    const known = all.get(why) ?? { count: 0, last: at };
    all.set(why, { ...known, count: known.count + 1 });
  }
  return [...all].slice(0, 3);
}

/** Why there are none: nobody asks, or nobody has answered here yet. */
const silent = () =>
  snapshot.value?.watching && lately.value.size === 0 ? "Its probes are not heard of yet." : "Nobody probes it.";

/** The same in numbers and words. */
export function Probes({ name }) {
  const region = lately.value.get(name);
  if (region === undefined || region.probes.length === 0) {
    return html`<p class="none">${unheard.value === null ? silent() : `Its probes: ${unheard.value}`}</p>`;
  }
  const took = region.probes.map(({ ms }) => ms).sort((a, b) => a - b);
  const failed = region.probes.filter((probe) => probe.failed !== null);
  const median = took[Math.floor(took.length / 2)];
  return html`
    <p>Of its last ${region.probes.length} probes ${failed.length === 0 ? "none" : failed.length} failed; the median took ${median} ms, the longest ${took.at(-1)} ms.</p>
    <ul class="flows">
      ${reasons(failed).map(([why, { count, last }]) => html`<li key=${why}>${ago(last)}${count > 1 && `, ${count} times`}: ${why}</li>`)}
    </ul>
  `;
}
