// How everything is, in one line of words: what somebody reads first who was woken up.

import { computed } from "/vendor/signals.mjs";
import { found } from "/chain.js";
import { html } from "/html.js";
import { happened, link, now, snapshot, stale, trouble } from "/live.js";
import { said } from "/said.js";
import { countdown, kind, plural, span } from "/words.js";

/** The times of a sentence, which whoever hears it is spared: they are others every second. */
const seen = { ago: (at) => ` ${span(now.value - Date.parse(at))} ago`, next: (at) => Date.parse(at) - now.value };
const heard = { ago: () => "", next: () => null };

function regions({ regions: all, watching, blind, errors }) {
  if (errors.length > 0) return [`The configuration is wrong: ${errors[0]}.`, "bad"];
  if (all.length === 0) return ["No region is configured.", "unknown"];
  if (!watching) return [`${plural(all.length, "region")}, none of them watched.`, "unknown"];
  if (blind) {
    return ["No region passes its probe, so all count as up: look at this server's own network.", "bad"];
  }
  const serving = all.filter(({ status }) => status === "up").length;
  const kinds = all.map(({ state }) => kind(state));
  const worst = ["bad", "warn", "drain", "unknown"].find((one) => kinds.includes(one)) ?? "good";
  const text =
    worst === "good"
      ? `All ${plural(all.length, "region")} healthy.`
      : `${serving} of ${plural(all.length, "region")} serving.`;
  return [text, worst];
}

/** What each region that is not well is, and since when. */
function troubles({ regions: all }, times) {
  return all
    .filter(({ state }) => kind(state) !== "good")
    .map(({ name, state, override: word }) => {
      const last = happened.value.find(
        ({ kind: of, record }) => of === "region" && record.region === name && record.to === "down" && record.from !== "down",
      );
      const whose = word ? ` (${word.user}: ${word.reason})` : "";
      if (state === "down") return `${name} went down${last ? times.ago(last.record.timestamp) : ""}.`;
      return `${name} is ${state}${whose}.`;
    });
}

function release({ release: now_, traffic, stuck, freeze }, times) {
  const words = [];
  if (freeze) words.push(`Everything automatic is stopped by ${freeze.user}: ${freeze.reason}.`);
  if (stuck) words.push(`The rollback does not come to an end: ${stuck}.`);
  const step = now_.step ? `, step ${now_.step} of ${now_.steps.length}` : "";
  if (now_.state === "canary") {
    const next = now_.next_deadline ? times.next(now_.next_deadline) : null;
    let then = "";
    if (now_.paused !== null) then = `, paused: ${now_.paused}`;
    else if (!now_.driver) then = ", and nobody drives it";
    else if (next !== null && next > 0) then = `, next in ${countdown(next)}`;
    else if (traffic?.verdict === "inconclusive") then = ", waiting for traffic";
    words.push(`Canary ${now_.green_image} at ${now_.canary_weight} %${step}${then}.`);
  } else if (now_.state === "green_provisioned") {
    words.push(`${now_.green_image} is provisioned and serves nobody yet.`);
  } else if (now_.state === "rollback_in_progress") {
    words.push(`Going back to ${now_.blue_image}: ${now_.reason}.`);
  } else if (now_.blue_image) {
    words.push(`${now_.blue_image} serves everybody.`);
  }
  // Of a day ago and more, nobody is woken up.
  if (now_.outcome === "rolled_back" && now.value - Date.parse(now_.ended_at) < 86_400_000) {
    words.push(`${now_.former_green} was rolled back${times.ago(now_.ended_at)}: ${now_.reason}.`);
  }
  return words;
}

function verdict(times) {
  const state = snapshot.value;
  if (stale.value !== null) {
    const since = times === seen ? ` for ${span(stale.value)}` : "";
    return [`Nothing heard${since}: what is below may not be so any more.`, "unknown"];
  }
  if (trouble.value !== null) {
    return [`The control plane cannot say how things are: ${trouble.value}.`, "bad"];
  }
  if (state === null) {
    const { why } = link.value;
    if (why?.status === 503) return [`The control plane cannot say how things are: ${why.message}.`, "bad"];
    return [why === null ? "Asking the control plane." : `Nothing to show: ${why.message}.`, "unknown"];
  }
  const [words, worst] = regions(state);
  const chain = found.value?.valid === false ? ["The audit chain is broken."] : [];
  const held = state.no_table ? [`Edges get no new table: ${state.no_table}.`] : [];
  const { paused, under_way, driver, state: phase } = state.release;
  const undriven = under_way && !driver && phase !== "rollback_in_progress";
  // Nothing is broken, and nothing goes on by itself.
  const held_up = state.freeze || paused !== null || undriven ? "warn" : "good";
  const least = worst === "good" ? held_up : worst;
  const troubled = state.stuck || [...chain, ...held].length > 0 ? "bad" : least;
  return [[words, ...troubles(state, times), ...chain, ...held, ...release(state, times)].join(" "), troubled];
}

const shown = computed(() => verdict(seen));
const spoken = computed(() => verdict(heard)[0]);

/** The line, and beside it what is read aloud when it changes: the only part of the page that is. */
export function Verdict() {
  const [text, worst] = shown.value;
  return html`
    <p class="verdict-line" data-kind=${worst}>${text}</p>
    <div class="unseen" role="status" aria-live="polite" aria-atomic="false">
      <p>${spoken.value}</p>
      <p>${said.value === "" ? null : said.value}</p>
    </div>
  `;
}
