// The page by keyboard, and what there is to know about it.

import { signal } from "/vendor/signals.mjs";
import { useEffect, useRef } from "/vendor/hooks.mjs";
import { html } from "/html.js";
import { recall, remember } from "/remembered.js";

export const help = signal(false);
/** Single keys can be switched off: whoever dictates presses them without meaning to. */
const single = signal(recall("keys") !== "no");

const KEYS = [
  ["/", "Look a tenant up", () => document.getElementById("tenant")],
  ["g r", "Regions", () => document.getElementById("regions-title")],
  ["g l", "Release", () => document.getElementById("release-title")],
  ["g t", "Traffic", () => document.getElementById("charts-title")],
  ["g e", "Timeline", () => document.getElementById("timeline-title")],
];

let before = "";
let forgets;

function pressed(event) {
  const field = event.target.closest("input, textarea, select, dialog");
  if (field || event.ctrlKey || event.metaKey || event.altKey || !single.value) return;
  const typed = before === "g" ? `g ${event.key}` : event.key;
  clearTimeout(forgets);
  before = event.key === "g" ? "g" : "";
  forgets = setTimeout(() => {
    before = "";
  }, 1_500);
  if (typed === "?") {
    event.preventDefault();
    help.value = true;
    return;
  }
  const known = KEYS.find(([keys]) => keys === typed);
  const to = known?.[2]();
  if (!to) return;
  event.preventDefault();
  // A heading takes the focus only from here.
  if (!to.matches("input")) to.setAttribute("tabindex", "-1");
  to.focus();
  to.scrollIntoView({ block: "start" });
}

document.addEventListener("keydown", pressed);

function switchKeys() {
  single.value = !single.value;
  remember("keys", single.value ? "yes" : "no");
}

export function Help() {
  const dialog = useRef(null);
  useEffect(() => {
    if (help.value) dialog.current.showModal();
    else dialog.current.close();
  }, [help.value]);
  const close = () => {
    help.value = false;
  };
  return html`<dialog ref=${dialog} aria-labelledby="help-title" onClose=${close}>
    <h2 id="help-title">Help</h2>
    <p>This page reads the control plane's API and decides nothing by itself: placements and the audit chain are computed by the same core as the server's, as WebAssembly.</p>
    <dl class="keys">
      ${KEYS.map(([keys, what]) => html`<div><dt><kbd>${keys}</kbd></dt><dd>${what}</dd></div>`)}
      <div><dt><kbd>?</kbd></dt><dd>This help</dd></div>
    </dl>
    <p class="lead">Shapes: ● healthy, ▲ failing or recovering, ◐ draining, ■ down or forbidden, ◇ unknown.</p>
    <div class="row">
      <button type="button" onClick=${close}>Close</button>
      <button type="button" class="quiet" aria-pressed=${single.value} onClick=${switchKeys}>Single keys: ${single.value ? "on" : "off"}</button>
    </div>
  </dialog>`;
}
