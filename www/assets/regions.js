// The regions, a tile for each.

import { may } from "/access.js";
import { change } from "/api.js";
import { Commands } from "/ask.js";
import { core, unshared } from "/core.js";
import { html } from "/html.js";
import { doubtful, snapshot, stale } from "/live.js";
import { unheard } from "/probes.js";
import { Tile } from "/tile.js";
import { whole } from "/words.js";

/** Stopping everything automatic, and letting it go on. */
function freezing({ freeze, watching }) {
  if (!watching || !may("freeze")) return [];
  if (freeze !== null) {
    return [{ label: "Unfreeze", ask: "Let regions fail over and back by themselves again?", act: () => change("DELETE", "/api/v1/freeze") }];
  }
  return [
    {
      label: "Freeze",
      ask: "Stop all automatic change? No region fails over or back until somebody takes that back.",
      reason: "needed",
      act: (reason) => change("PUT", "/api/v1/freeze", { reason }),
    },
  ];
}

/** What the tiles cannot show, and why. */
function Missing({ state }) {
  const all = [];
  if (state.regions.length > 0 && !state.watching) {
    all.push(
      state.features.multi_region
        ? "Regions are not watched: nobody knows where to ask them. Set REGION_ENDPOINTS."
        : "Regions are not watched: FEATURE_MULTI_REGION is off.",
    );
  }
  if (unheard.value !== null && stale.value === null) all.push(`What probes say could not be had: ${unheard.value}`);
  if (core.value.ready && unshared.value !== null && stale.value === null) {
    all.push(`Shares of tenants could not be had: ${unshared.value}`);
  }
  return all.map((text) => html`<p class="lead" key=${text}>${text}</p>`);
}

export function Regions() {
  const state = snapshot.value;
  if (state === null) return null;
  const counted = state.regions.map(({ traffic }) => traffic?.requests ?? 0);
  const all = counted.reduce((sum, one) => sum + one, 0);
  const edges = state.edges === 1 ? "1 edge reports" : `${whole(state.edges)} edges report`;
  return html`<section aria-labelledby="regions-title">
    <h2 id="regions-title">Regions</h2>
    ${state.errors.map((why) => html`<p class="problem">${why}</p>`)}
    ${
      state.regions.length === 0
        ? html`<p class="none">${state.errors.length > 0 ? "No region can be shown." : "No region is configured: set REGIONS or HALCYON_TOPOLOGY."}</p>`
        : html`<ul class="tiles">
            ${state.regions.map((region) => html`<${Tile} key=${region.name} region=${region} all=${all} old=${doubtful.value} />`)}
          </ul>`
    }
    <${Missing} state=${state} />
    <div class="foot">
      <p class="lead">Traffic of the last minute; ${edges}.</p>
      <${Commands} of="regions" commands=${freezing(state)} />
    </div>
  </section>`;
}
