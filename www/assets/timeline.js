// Everything that has happened, to regions and in releases, in one list.

import { signal } from "/vendor/signals.mjs";
import { Chain } from "/chain.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { happened, snapshot, unread } from "/live.js";
import { who, words } from "/story.js";
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

function Entry({ entry }) {
  const { kind, record } = entry;
  return html`<tr data-kind=${kind}>
    <td class="when"><time datetime=${record.timestamp}>${moment(record.timestamp, inUtc.value)}</time></td>
    <td>${who(entry)}</td>
    <td class="what">${words(entry)}</td>
    <td class="number">${kind === "release" ? `#${record.seq}` : ""}</td>
  </tr>`;
}

/** Whether there were records before those that are kept here. */
const older = () => {
  const first = happened.value.findLast(({ kind }) => kind === "release");
  return first !== undefined && first.record.seq > 1;
};

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
    ${unread.value !== null && html`<p class="problem">What was before this page was opened could not be had: ${unread.value}</p>`}
    ${
      found.length === 0
        ? snapshot.value !== null && unread.value === null && html`<p class="none">Nothing has happened yet.</p>`
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
    ${found.length <= many.value && older() && html`<p class="lead">Those before are in <code>halcyon audit tail</code> and <code>/api/v1/audit</code>.</p>`}
  </section>`;
}
