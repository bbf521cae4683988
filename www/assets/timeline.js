// Everything that has happened, to regions and in releases, in one list.

import { signal } from "/vendor/signals.mjs";
import { Chain } from "/chain.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { happened } from "/live.js";
import { moment } from "/words.js";

const shown = signal("all");
const FILTERS = [
  ["all", "Everything"],
  ["release", "Releases"],
  ["region", "Regions"],
];
/** How many are shown before somebody asks for more. */
const FEW = 12;
const many = signal(FEW);

const list = (failures) => (failures ?? []).map(({ region, why }) => `${region}: ${why}`).join("; ");

/** What a record says, in words. */
const WORDS = {
  provision_green: (r) => `began a release of ${r.image_tag}`,
  start_canary: (r) => `canary of ${r.green_image} at ${r.weight} %`,
  increase_weight: (r) => `raised from ${r.old_weight} % to ${r.new_weight} %`,
  promote_green: (r) => `${r.new_blue} is live`,
  rollback_to_blue: (r) => `rolled back from ${r.old_weight} %: ${r.reason}`,
  rollback_complete: (r) => `${r.blue_image ?? "blue"} serves everybody`,
  region_confirmed: (r) => `${r.region} confirmed ${r.change}`,
  step_passed: (r) =>
    r.traffic
      ? `step ${r.weight} % passed: ${r.traffic.errors} of ${r.traffic.requests} requests failed`
      : `step ${r.weight} % passed`,
  step_failed: (r) => `went on though ${r.check} failed at ${r.weight} %: ${list(r.failures)}`,
  pause: (r) => `paused: ${r.reason}`,
  resume: () => "resumed",
  attach_driver: () => "a driver took over",
  detach_driver: (r) => `held: ${r.reason}`,
  permission_denied: (r) => `refused ${r.attempted}: ${r.reason}`,
};

function words({ kind, record }) {
  if (kind === "release") return (WORDS[record.action] ?? ((r) => r.action))(record);
  const from = record.from && record.to ? `: ${record.from} → ${record.to}` : "";
  return `${record.event}${from}${record.reason ? ` (${record.reason})` : ""}`;
}

const who = ({ kind, record }) =>
  kind === "release" ? record.user : `${record.region}${record.user ? `, ${record.user}` : ""}`;

function Entry({ entry }) {
  const { kind, record } = entry;
  return html`<tr data-kind=${kind}>
    <td class="when"><time datetime=${record.timestamp}>${moment(record.timestamp, inUtc.value)}</time></td>
    <td>${who(entry)}</td>
    <td class="what">${words(entry)}</td>
    <td class="number">${kind === "release" ? `#${record.seq}` : ""}</td>
  </tr>`;
}

export function Timeline() {
  const found = happened.value.filter(({ kind }) => shown.value === "all" || kind === shown.value);
  return html`<section aria-labelledby="timeline-title">
    <h2 id="timeline-title">Timeline</h2>
    <${Chain} />
    <div class="choice" role="group" aria-label="What is shown">
      ${FILTERS.map(
        ([name, label]) => html`<button type="button" class="quiet" aria-pressed=${shown.value === name} onClick=${() => {
          shown.value = name;
        }}>${label}</button>`,
      )}
    </div>
    ${
      found.length === 0
        ? html`<p class="none">Nothing has happened yet.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="What has happened">
            <table>
              <thead><tr><th scope="col">When</th><th scope="col">Who or where</th><th scope="col">What</th><th scope="col" class="number">Audit</th></tr></thead>
              <tbody>${found.slice(0, many.value).map((entry) => html`<${Entry} key=${entry.kind + (entry.record.seq ?? entry.number)} entry=${entry} />`)}</tbody>
            </table>
          </div>`
    }
    ${
      found.length > many.value &&
      html`<button type="button" class="quiet" onClick=${() => {
        many.value += 50;
      }}>Show more of ${found.length}</button>`
    }
  </section>`;
}
