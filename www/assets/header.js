// The head of the page: whose it is, whether it is live, and how it is to look.

import { signal } from "/vendor/signals.mjs";
import { access, changes } from "/access.js";
import { html } from "/html.js";
import { help } from "/keys.js";
import { link, snapshot, stale, trouble, version } from "/live.js";
import { recall, remember } from "/remembered.js";
import { span } from "/words.js";

/** Whether times are in UTC; on call one speaks of that. */
export const inUtc = signal(recall("utc") !== "no");
export const theme = signal(recall("theme") ?? "auto");

/** Whether the system is dark: what is drawn, and not styled, is drawn anew then. */
export const dark = signal(false);
const preferred = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  dark.value = preferred.matches;
};
preferred.addEventListener("change", follow);
follow();

const THEMES = ["auto", "light", "dark"];

const show = () => {
  document.documentElement.dataset.theme = theme.value;
};
show();

function turn() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  remember("theme", theme.value);
  show();
}

function switchZone() {
  inUtc.value = !inUtc.value;
  remember("utc", inUtc.value ? "yes" : "no");
}

/** Whether what is shown is what is: in words and a shape, not in colour alone. */
function Link() {
  if (stale.value !== null) {
    return html`<span class="link" data-link="stale">◇ Stale ${span(stale.value)}</span>`;
  }
  if (trouble.value !== null) return html`<span class="link" data-link="stale">■ No state</span>`;
  if (link.value.open) return html`<span class="link" data-link="live">● Live</span>`;
  return html`<span class="link" data-link="away">▲ ${link.value.heard ? "Reconnecting" : "Connecting"}</span>`;
}

function banner(state) {
  if (!state?.features.multi_region) return null;
  const active = state.regions.map(({ name }) => name).join(", ");
  return html`<p class="banner">Region: ${state.region} (active: ${active})</p>`;
}

/** A page stays open for weeks, and what it was made for may have changed since. */
function outdated(other) {
  if (other === null) return null;
  return html`<p class="notice outdated">
    This page is of version ${version.own}, and the server is of ${other} by now.${" "}
    <button type="button" class="quiet" onClick=${() => location.reload()}>Load it anew</button>
  </p>`;
}

export function Header() {
  const state = snapshot.value;
  return html`
    <div class="bar">
      <h1><img src="/favicon.svg" alt="" width="28" height="28" /> Halcyon</h1>
      ${state && html`<p class="where">${state.region} · ${state.deployment} · ${state.version}</p>`}
      <div class="tools">
        <${Link} />
        <a class="badge" href="#access-title">${changes() ? `${access.value.user}, ${access.value.role}` : "Read only"}</a>
        <button type="button" class="quiet" onClick=${switchZone} aria-label="Times in ${inUtc.value ? "UTC" : "local time"}; switch">
          ${inUtc.value ? "UTC" : "Local"}
        </button>
        <button type="button" class="quiet" onClick=${turn} aria-label="Colours: ${theme.value}; switch">
          ${{ auto: "Auto", light: "Light", dark: "Dark" }[theme.value]}
        </button>
        <button type="button" class="quiet" aria-label="Help" onClick=${() => {
          help.value = true;
        }}>?</button>
      </div>
    </div>
    ${banner(state)}
    ${outdated(version.other.value)}
  `;
}
