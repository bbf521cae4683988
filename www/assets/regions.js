// A tile for each region: how it is, and what it gets.

import { shares } from "/core.js";
import { html } from "/html.js";
import { snapshot, stale } from "/live.js";
import { kind, latency, percent, SHAPES, whole } from "/words.js";

/** What edges have counted of it, or that they have not: never a figure that nobody has. */
function Traffic({ traffic, all }) {
  if (traffic === null) return html`<p class="none">No traffic data</p>`;
  const figures = [
    ["Requests", percent(traffic.requests, all)],
    ["Errors", percent(traffic.errors, traffic.requests)],
    ["P95", latency(traffic.p95_us)],
  ];
  return html`<dl class="figures">
    ${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

function Tile({ region, all, old }) {
  // What is not heard of any more is unknown, and never stays green.
  const state = old ? "unknown" : region.state;
  const of = kind(state);
  const share = shares.value?.get(region.name);
  const forced = region.override && !old ? region.override : null;
  return html`<li class="tile" data-kind=${of} data-region=${region.name}>
    <h3>
      ${region.name}
      ${region.primary && html`<span class="tag">primary</span>`}
      ${region.here && html`<span class="tag">here</span>`}
    </h3>
    <p class="state"><span class="shape" aria-hidden="true">${SHAPES[of]}</span> ${state}</p>
    ${forced && html`<p class="forced">${forced.state} by ${forced.user}: ${forced.reason}. Its probes say: ${region.probed}.</p>`}
    ${share !== undefined && html`<p class="tenants">${percent(share * 10_000, 10_000)} of all tenants</p>`}
    <${Traffic} traffic=${region.traffic} all=${all} />
  </li>`;
}

export function Regions() {
  const state = snapshot.value;
  if (state === null) return null;
  const counted = state.regions.map(({ traffic }) => traffic?.requests ?? 0);
  const all = counted.reduce((sum, one) => sum + one, 0);
  const edges = state.edges === 1 ? "1 edge reports" : `${whole(state.edges)} edges report`;
  return html`<section aria-labelledby="regions-title">
    <h2 id="regions-title">Regions</h2>
    ${state.errors.map((why) => html`<p class="problem" role="alert">${why}</p>`)}
    ${
      state.regions.length === 0
        ? html`<p class="none">No region is configured: set REGIONS or HALCYON_TOPOLOGY.</p>`
        : html`<ul class="tiles">
            ${state.regions.map((region) => html`<${Tile} key=${region.name} region=${region} all=${all} old=${stale.value !== null} />`)}
          </ul>`
    }
    <p class="lead">Within the last minute; ${edges}.</p>
  </section>`;
}
