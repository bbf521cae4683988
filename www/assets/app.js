// The page, put together.

import { render } from "/vendor/preact.mjs";
import { effect } from "/vendor/signals.mjs";
import { Access } from "/access.js";
import { Alarm, verify } from "/chain.js";
import { Charts } from "/charts.js";
import { core, load } from "/core.js";
import { Header } from "/header.js";
import { html } from "/html.js";
import { Help } from "/keys.js";
import { follow, link, snapshot } from "/live.js";
import { Lookup } from "/lookup.js";
import { watch } from "/probes.js";
import { Regions } from "/regions.js";
import { Release } from "/release.js";
import { Timeline } from "/timeline.js";
import { Verdict } from "/verdict.js";
import { WhatIf } from "/whatif.js";

/** Why there is nothing to show, where nothing was ever heard. */
function Silence() {
  const why = link.value.why;
  if (snapshot.value !== null || why === null) return null;
  const hint = why.status === 401 ? " Reading takes a token here: give yours below." : "";
  return html`<section aria-labelledby="silence-title">
    <h2 id="silence-title">Nothing to show yet</h2>
    <p class="problem">${why.message}.${hint}</p>
  </section>`;
}

/** Until there is something to show, or nothing is to be expected soon. */
const first = () =>
  new Promise((done) => {
    effect(() => {
      if (snapshot.value !== null || link.value.why !== null) done();
    });
    setTimeout(done, 1_000);
  });

const at = (id) => document.getElementById(id);

render(html`<${Header} />`, at("head"));
render(
  html`
    <${Verdict} />
    <${Alarm} />
    <${Silence} />
    <${Regions} />
    <${Release} />
    <${Charts} />
    <${Timeline} />
    <${Access} />
  `,
  at("live"),
);
follow();
watch();
// The regions first: to load the core takes as long as they do.
await first();
await load();
render(html`<${Lookup} /><${WhatIf} /><${Help} />`, at("decided"));
verify();
