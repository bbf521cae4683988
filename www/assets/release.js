// The release under way: blue beside green, the steps, why it waits, and what can be done about it.

import { may } from "/access.js";
import { change } from "/api.js";
import { Commands } from "/ask.js";
import { Begin } from "/begin.js";
import { inUtc } from "/header.js";
import { html } from "/html.js";
import { happened, now, snapshot, stale } from "/live.js";
import { words } from "/story.js";
import { countdown, latency, moment, percent, whole } from "/words.js";

const COMMANDS = {
  promote: {
    label: "Promote",
    ask: ({ green_image: green }) => `Make ${green} live everywhere now, whatever steps are left?`,
  },
  pause: { label: "Pause", ask: () => "Hold the release where it is?", reason: "optional" },
  resume: { label: "Resume", ask: () => "Let the release go on?" },
  rollback: {
    label: "Roll back",
    // What is live is blue already; going back from there is to the one before.
    ask: ({ state, blue_image: blue, former_blue: former }) =>
      `Give ${(state === "green_live" ? former : blue) ?? "blue"} everything?`,
    reason: "needed",
  },
};

/** The commands that the release's state has an answer to. */
function offered({ state, paused }) {
  if (state === "idle") return [];
  if (state === "green_live" || state === "rollback_in_progress") return ["rollback"];
  const steer = paused === null ? "pause" : "resume";
  return state === "canary" ? ["promote", steer, "rollback"] : [steer, "rollback"];
}

function act(name, revision) {
  const more = name === "rollback" ? {} : { "if-match": `"${revision}"` };
  return (reason) =>
    change("POST", `/api/v1/release/${name}`, reason === undefined ? undefined : { reason }, more);
}

function Steering({ release, revision, features }) {
  const names = offered(release);
  if (!may("release")) {
    const typed = names.map((name) => `halcyon ${name}${name === "rollback" ? " --reason …" : ""}`);
    if (typed.length === 0) return null;
    return html`<p class="typed">From a terminal: ${typed.map((text, place) => html`${place > 0 && ", "}<code>${text}</code>`)}</p>`;
  }
  const commands = names.map((name) => ({
    ...COMMANDS[name],
    ask: COMMANDS[name].ask(release),
    act: act(name, revision),
  }));
  return html`
    <${Commands} of="release" commands=${commands} basis=${revision} />
    ${!release.under_way && features.blue_green !== false && html`<${Begin} release=${release} />`}
  `;
}

/** Who did what to it, the newest first. */
function Done({ release }) {
  const of = happened.value.filter(
    ({ kind, record }) => kind === "release" && record.release_id === release.release_id,
  );
  if (release.release_id === null || of.length === 0) return null;
  return html`<details>
    <summary>Who did what</summary>
    <ul class="flows">
      ${of.slice(0, 12).map((entry) => html`<li key=${entry.record.seq}>${moment(entry.record.timestamp, inUtc.value)} <strong>${entry.record.user}</strong> ${words(entry)}</li>`)}
    </ul>
  </details>`;
}

/** Blue or green: what it is, what it should get, and what it gets. */
function Side({ colour, image, share, seen, all }) {
  const actual = seen && all > 0 ? percent(seen.requests, all) : "–";
  const figures = [
    ["Share set", `${share} %`],
    ["Share seen", actual],
    ["Requests", seen ? whole(seen.requests) : "–"],
    ["Errors", seen && seen.requests > 0 ? percent(seen.errors, seen.requests) : "–"],
    ["P95", seen ? latency(seen.p95_us) : "–"],
  ];
  return html`<div class="side" data-colour=${colour}>
    <h3><span class="swatch" aria-hidden="true"></span> ${colour}: <code>${image ?? "none"}</code></h3>
    <progress class="share" max="100" value=${share} aria-label="Share of ${colour}"></progress>
    <dl class="figures">
      ${figures.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </div>`;
}

/** The steps of this release that have failed and were passed all the same, as no `abort_on_err` was set. */
function failedOf(release) {
  const records = happened.value.filter(({ record }) => record.action === "step_failed" && record.release_id === release.release_id);
  return new Set(records.map(({ record }) => record.weight));
}

function Steps({ release }) {
  if (release.steps.length === 0) return null;
  const failed = failedOf(release);
  return html`<ol class="plan" aria-label="Steps">
    ${release.steps.map((weight, place) => {
      const current = release.step === place + 1;
      const past = release.step !== null && place + 1 < release.step;
      const kind = failed.has(weight) ? "failed" : current ? "now" : past ? "past" : "next";
      const note = failed.has(weight) ? " failed" : "";
      return html`<li data-step=${kind} aria-current=${current ? "step" : undefined}>${weight} %${note}</li>`;
    })}
    <li data-step="next">promote</li>
  </ol>`;
}

/** Why nothing moves, if nothing does, and how the last release ended. */
function waits({ release, traffic, stuck }) {
  // A countdown would go on as if somebody did.
  if (stale.value !== null && release.under_way) return "Nothing is heard of it: this is how it was last.";
  if (stuck) return `The rollback does not come to an end: ${stuck}`;
  if (release.outcome === "rolled_back") {
    return `${release.former_green} was rolled back on ${moment(release.ended_at, inUtc.value)}: ${release.reason}`;
  }
  if (release.outcome === "promoted") return `Promoted on ${moment(release.ended_at, inUtc.value)}.`;
  if (!release.under_way) return null;
  if (release.state === "rollback_in_progress") return `${release.former_green} is rolled back: ${release.reason}`;
  if (release.paused !== null) return `Paused: ${release.paused}`;
  if (!release.driver && release.state !== "rollback_in_progress") return "Nobody drives it.";
  const due = release.next_deadline ? Date.parse(release.next_deadline) - now.value : null;
  const until = due !== null && due > 0 ? `Bakes for another ${countdown(due)}. ` : "";
  if (traffic?.verdict) {
    const words = { good: "keeps to the limits", bad: "breaks a limit", inconclusive: "proves nothing yet" };
    return `${until}Its traffic ${words[traffic.verdict]}${traffic.why ? `: ${traffic.why}` : "."}`;
  }
  return until || null;
}

export function Release() {
  const state = snapshot.value;
  if (state === null) return null;
  const { features, release, traffic, revision } = state;
  const all = (traffic?.green.requests ?? 0) + (traffic?.blue.requests ?? 0);
  const why = waits(state);
  const before = traffic?.before;
  return html`<section aria-labelledby="release-title">
    <h2 id="release-title">Release <span class="tag">${release.state.replaceAll("_", " ")}</span></h2>
    ${
      release.blue_image === null && release.green_image === null
        ? html`<p class="none">There has been no release yet.</p>`
        : html`<div class="sides">
            <${Side} colour="blue" image=${release.blue_image} share=${release.traffic_split.blue} seen=${traffic?.blue} all=${all} />
            <${Side} colour="green" image=${release.green_image} share=${release.traffic_split.green} seen=${traffic?.green} all=${all} />
          </div>`
    }
    <${Steps} release=${release} />
    ${why && html`<p class="waits">${why}</p>`}
    ${
      before && before.requests > 0 &&
      html`<p class="lead">The same tenants on blue before: ${percent(before.errors, before.requests)} errors, P95 ${latency(before.p95_us)}, of ${whole(before.requests)} requests.</p>`
    }
    ${features.blue_green === false && html`<p class="lead">Releases are switched off (FEATURE_BLUE_GREEN): rollback and pause work all the same.</p>`}
    <${Done} release=${release} />
    <${Steering} release=${release} revision=${revision} features=${features} />
  </section>`;
}
