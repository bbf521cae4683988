// How everything is, in one line of words: what somebody reads first who was woken up.

import { computed } from "/vendor/signals.mjs";
import { html } from "/html.js";
import { happened, now, snapshot, stale } from "/live.js";
import { countdown, kind, plural, span } from "/words.js";

function regions({ regions: all, watching, blind }) {
  if (all.length === 0) return ["No region is configured.", "unknown"];
  if (!watching) return [`${plural(all.length, "region")}, none of them watched.`, "unknown"];
  if (blind) {
    return ["No region passes its probe, so all count as up: look at this server's own network.", "bad"];
  }
  const serving = all.filter(({ status }) => status === "up").length;
  const kinds = all.map(({ state }) => kind(state));
  const worst = ["bad", "warn", "drain", "unknown"].find((one) => kinds.includes(one)) ?? "good";
  const text =
    serving === all.length
      ? `All ${plural(all.length, "region")} healthy.`
      : `${serving} of ${plural(all.length, "region")} serving.`;
  return [text, worst];
}

/** What each region that is not well is, and since when. */
function troubles({ regions: all }) {
  return all
    .filter(({ state }) => kind(state) !== "good")
    .map(({ name, state, override: said }) => {
      const last = happened.value.find(
        ({ kind: of, record }) => of === "region" && record.region === name,
      );
      const since = last ? ` ${span(now.value - Date.parse(last.record.timestamp))} ago` : "";
      const whose = said ? ` (${said.user}: ${said.reason})` : "";
      if (state === "down") return `${name} went down${since}.`;
      return `${name} is ${state}${whose}.`;
    });
}

function release({ release: now_, traffic, stuck, freeze }) {
  const words = [];
  if (freeze) words.push(`Everything automatic is stopped by ${freeze.user}: ${freeze.reason}.`);
  if (stuck) words.push(`The rollback does not come to an end: ${stuck}.`);
  const step = now_.step ? `, step ${now_.step} of ${now_.steps.length}` : "";
  if (now_.state === "canary") {
    const next = now_.next_deadline ? Date.parse(now_.next_deadline) - now.value : null;
    let then = "";
    if (now_.paused !== null) then = `, paused: ${now_.paused}`;
    else if (next !== null && next > 0) then = `, next in ${countdown(next)}`;
    else if (traffic?.verdict === "inconclusive") then = ", waiting for traffic";
    else if (!now_.driver) then = ", and nobody drives it";
    words.push(`Canary ${now_.green_image} at ${now_.canary_weight} %${step}${then}.`);
  } else if (now_.state === "green_provisioned") {
    words.push(`${now_.green_image} is provisioned and serves nobody yet.`);
  } else if (now_.state === "rollback_in_progress") {
    words.push(`Going back to ${now_.blue_image}.`);
  } else if (now_.blue_image) {
    words.push(`${now_.blue_image} serves everybody.`);
  }
  return words;
}

const verdict = computed(() => {
  const state = snapshot.value;
  if (stale.value !== null) {
    return [`Nothing heard for ${span(stale.value)}: what is below may not be so any more.`, "unknown"];
  }
  if (state === null) return ["Asking the control plane.", "unknown"];
  const [words, worst] = regions(state);
  const troubled = state.stuck ? "bad" : worst;
  return [[words, ...troubles(state), ...release(state)].join(" "), troubled];
});

/** The only part of the page that is read aloud when it changes. */
export function Verdict() {
  const [text, worst] = verdict.value;
  return html`<p class="verdict-line" data-kind=${worst} role="status" aria-live="polite">${text}</p>`;
}
