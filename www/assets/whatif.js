// What would be if regions, weights, policies or the canary were others. Nothing is changed by it.

import { useEffect } from "/vendor/hooks.mjs";
import { signal } from "/vendor/signals.mjs";
import { get } from "/api.js";
import { core } from "/core.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { moment, percent, whole } from "/words.js";

const STATUSES = ["up", "down", "draining", "forbidden"];
const STICKIES = ["primary", "hash", "rendezvous"];
const FAILOVERS = ["ordered", "round_robin", "rendezvous"];
/** As many tenants are made up where none are pasted. */
const COUNT = 100_000;

/** The table in force, and the one that is tried; null before somebody asks. */
const real = signal(null);
const tried = signal(null);
const pasted = signal("");
const found = signal(null);
const failed = signal(null);

let worker = null;
/** One job at a time, and behind it the newest: what is asked for in between nobody wants to see. */
let busy = false;
let waiting = false;
let settle;

function start() {
  worker = new Worker("/whatif-worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    failed.value = data.problems ?? null;
    if (data.problems) found.value = null;
    // Losses come behind the rest: they take longer where there are many regions.
    else found.value = data.losses ? { ...found.value, losses: data.losses } : data;
    if (data.more) return;
    busy = false;
    if (waiting) compute();
  };
  worker.onerror = ({ message }) => {
    failed.value = [message ?? "the worker could not be started"];
    busy = false;
  };
}

function compute() {
  waiting = busy;
  if (busy) return;
  if (worker === null) start();
  busy = true;
  worker.postMessage({
    from: real.value,
    to: { ...tried.value, epoch: tried.value.epoch + 1 },
    pasted: pasted.peek(),
    count: COUNT,
  });
}

function change(more) {
  tried.value = { ...tried.value, ...more };
  compute();
}

const changeRegion = (name, more) =>
  change({
    regions: tried.value.regions.map((region) => (region.name === name ? { ...region, ...more } : region)),
  });

async function begin() {
  try {
    real.value = await get("/api/v1/table");
    tried.value = real.value;
    failed.value = null;
    compute();
  } catch (why) {
    failed.value = [why.message];
  }
}

const choose = (label, values, value, set) => html`<label class="field">
  <span>${label}</span>
  <select value=${value} onChange=${(event) => set(event.target.value)}>
    ${values.map((one) => html`<option value=${one} selected=${one === value}>${one.replace("_", " ")}</option>`)}
  </select>
</label>`;

const number = (label, value, [least, most], set) => html`<label class="field">
  <span>${label}</span>
  <input type="number" min=${least} max=${most} value=${value} onInput=${(event) => {
    const typed = event.target.valueAsNumber;
    if (Number.isInteger(typed) && typed >= least && typed <= most) set(typed);
  }} />
</label>`;

function Switches() {
  const table = tried.value;
  const canary = table.release?.state === "canary" ? table.release.weight : null;
  const share = (weight) =>
    change({ release: { ...(table.release ?? { id: "what-if" }), state: "canary", weight, valid_until: undefined } });
  return html`<div class="fields">
      ${choose("Placed by", STICKIES, table.sticky, (sticky) => change({ sticky }))}
      ${choose("On failure", FAILOVERS, table.failover, (failover) => change({ failover }))}
      ${number("Canary, %", canary ?? 0, [0, 100], share)}
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="Regions to try">
      <table>
        <thead><tr><th scope="col">Region</th><th scope="col">Status</th><th scope="col">Weight</th></tr></thead>
        <tbody>
          ${table.regions.map(
            ({ name, status, weight }) => html`<tr key=${name}>
              <th scope="row">${name}</th>
              <td><select aria-label="Status of ${name}" value=${status} onChange=${(event) => changeRegion(name, { status: event.target.value })}>
                ${STATUSES.map((one) => html`<option value=${one} selected=${one === status}>${one}</option>`)}
              </select></td>
              <td><input type="number" min="0" max="65535" aria-label="Weight of ${name}" value=${weight} onInput=${(event) => {
                const typed = event.target.valueAsNumber;
                if (Number.isInteger(typed) && typed >= 0 && typed <= 65_535) changeRegion(name, { weight: typed });
              }} /></td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

const place = (region) => region ?? "nowhere";

function Moves({ moves, list, took }) {
  const { of } = moves;
  return html`<p class="waits">
      ${percent(moves.moved, of)} of all tenants move. Of ${whole(list.of)} ${pasted.value.trim() === "" ? "made-up" : "pasted"} ones ${whole(list.moved)} move, ${whole(list.recoloured)} change their colour, and ${list.nowhere === 0 ? "no residency is breached" : `${whole(list.nowhere)} would breach their residency and are served nowhere`}. Counted in ${Math.round(took)} ms.
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="Share of each region">
      <table>
        <thead><tr><th scope="col">Region</th><th scope="col" class="number">Now</th><th scope="col" class="number">Then</th><th scope="col" class="number">Load</th></tr></thead>
        <tbody>
          ${moves.regions.map(
            ({ region, before, after, load_percent: load }) => html`<tr key=${place(region)}>
              <th scope="row">${place(region)}</th>
              <td class="number">${percent(before, of)}</td>
              <td class="number">${percent(after, of)}</td>
              <td class="number">${load === null ? "–" : `${load} %`}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${
      list.flows.length > 0 &&
      html`<ul class="flows" aria-label="Who moves">
        ${list.flows.map(([from, to, count]) => html`<li key=${`${from} ${to}`}>${place(from)} → ${place(to)}: ${whole(count)}</li>`)}
      </ul>`
    }`;
}

function Losses({ losses }) {
  if (losses === undefined) return html`<p class="lead">Counting what the loss of each one more would do.</p>`;
  if (losses.length === 0) return null;
  const words = ({ loads, nowhere }) => {
    const each = loads.map(({ region, load }) => `${region} ${load === null ? "–" : `${load} %`}`);
    return each.join(", ") + (nowhere > 0 ? `; ${percent(nowhere * 10_000, 10_000)} nowhere` : "");
  };
  return html`<h3>If one more is lost</h3>
    <ul class="flows">
      ${losses.map((loss) => html`<li key=${loss.lost}>without ${loss.lost}: load of ${words(loss)}</li>`)}
    </ul>`;
}

export function WhatIf() {
  useEffect(() => () => worker?.terminate(), []);
  if (!core.value.ready) {
    return html`<section aria-labelledby="whatif-title">
      <h2 id="whatif-title">What if?</h2>
      <p class="none">Nothing can be tried without WebAssembly.</p>
    </section>`;
  }
  return html`<section aria-labelledby="whatif-title">
    <h2 id="whatif-title">What if?</h2>
    <p class="notice">Nothing is changed by this: it is computed in this browser${real.value === null ? "" : `, from table ${real.value.epoch} of ${moment(real.value.issued_at, inUtc.value)}`}.</p>
    ${failed.value !== null && failed.value.map((why) => html`<p class="problem">${why}</p>`)}
    ${
      tried.value === null
        ? html`<button type="button" class="quiet" onClick=${begin}>Try something</button>`
        : html`
            <${Switches} />
            <label class="field" for="tenants"><span>Tenants, one a line; ${whole(COUNT)} made-up ones where there are none</span></label>
            <textarea id="tenants" rows="3" spellcheck="false" onInput=${(event) => {
              pasted.value = event.target.value;
              clearTimeout(settle);
              settle = setTimeout(compute, 250);
            }}></textarea>
            ${found.value && html`<${Moves} ...${found.value} /><${Losses} losses=${found.value.losses} />`}
            <div class="row"><button type="button" class="quiet" onClick=${begin}>Back to how it is</button></div>
          `
    }
  </section>`;
}
