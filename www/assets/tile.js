// A region: how it is, what it gets, and what can be done to it.

import { may } from "/access.js";
import { change } from "/api.js";
import { Commands } from "/ask.js";
import { shares } from "/core.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { happened } from "/live.js";
import { Checked, Probes, Strip } from "/probes.js";
import { words } from "/story.js";
import { kind, latency, moment, percent, SHAPES } from "/words.js";

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

function Forced({ said, probed }) {
  const until = said.expires ? ` until ${moment(said.expires, inUtc.value)}` : "";
  return html`<p class="forced">${said.state} by ${said.user}${until}: ${said.reason}. Its probes say: ${probed}.</p>`;
}

/** What this caller may do to it. */
function commands({ name, override: said }) {
  const path = `/api/v1/regions/${encodeURIComponent(name)}/override`;
  const put = (state) => (reason) => change("PUT", path, { state, reason });
  const all = [];
  const forbidden = said?.state === "forbid";
  if (may("drain") && said === null) {
    all.push({
      label: "Drain",
      ask: `Give ${name} no new requests until somebody takes that back? It serves only if nothing else does.`,
      reason: "needed",
      act: put("drain"),
    });
  }
  if (may("forbid") && !forbidden) {
    all.push({
      label: "Forbid",
      ask: `Give ${name} nothing at all, whatever happens to the others?`,
      reason: "needed",
      act: put("forbid"),
    });
  }
  if (said !== null && may(forbidden ? "forbid" : "drain")) {
    all.push({
      label: forbidden ? "Allow again" : "Undrain",
      ask: `Go by the probes of ${name} again?`,
      act: () => change("DELETE", path),
    });
  }
  return all;
}

function Details({ region }) {
  const events = happened.value.filter(({ kind: of, record }) => of === "region" && record.region === region.name);
  return html`<details>
    <summary>Details<span class="unseen"> of ${region.name}</span></summary>
    <${Probes} name=${region.name} />
    ${
      events.length > 0 &&
      html`<ul class="flows">
        ${events.slice(0, 3).map((entry) => html`<li key=${entry.number}>${moment(entry.record.timestamp, inUtc.value)} ${words(entry)}</li>`)}
      </ul>`
    }
    <p class="lead">Weight ${region.weight}. From a terminal: <code>halcyon route --down ${region.name} TENANT</code></p>
    <${Commands} of=${`region-${region.name}`} commands=${commands(region)} basis=${region.override?.since ?? null} />
  </details>`;
}

export function Tile({ region, all, old }) {
  // What is not heard of any more is unknown, and never stays green.
  const state = old ? "unknown" : region.state;
  const of = kind(state);
  const share = shares.value?.get(region.name);
  const said = old ? null : region.override;
  return html`<li class="tile" data-kind=${of} data-region=${region.name}>
    <h3>
      ${region.name}
      ${region.primary && html`<span class="tag">primary</span>`}
      ${region.here && html`<span class="tag">here</span>`}
    </h3>
    <p class="state"><span class="shape" aria-hidden="true">${SHAPES[of]}</span> ${state}</p>
    ${said && html`<${Forced} said=${said} probed=${region.probed} />`}
    <${Strip} name=${region.name} />
    <${Checked} name=${region.name} />
    ${share !== undefined && html`<p class="tenants">${percent(share * 10_000, 10_000)} of all tenants</p>`}
    <${Traffic} traffic=${region.traffic} all=${all} />
    <${Details} region=${region} />
  </li>`;
}
