// The page, put together.

import { render } from "/vendor/preact.mjs";
import { effect } from "/vendor/signals.mjs";
import { Alarm } from "/chain.js";
import { Header } from "/header.js";
import { html } from "/html.js";
import { follow, link, snapshot } from "/live.js";
import { watch } from "/probes.js";
import { Regions } from "/regions.js";
import { Verdict } from "/verdict.js";

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

/** Until that is painted; a page that nobody sees is not. */
const painted = () =>
  new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, 200);
  });

const at = (id) => document.getElementById(id);

render(html`<${Header} />`, at("head"));
render(html`<${Verdict} /><${Alarm} /><${Silence} /><${Regions} />`, at("live"));
follow();
watch();
// The regions first: everything else takes as long again until it is there and has run once.
await first();
await painted();
try {
  const { begin } = await import("/more.js");
  await begin(at("more"), at("decided"));
} catch (why) {
  render(html`<p class="problem">The rest of this page could not be loaded: ${why.message}</p>`, at("more"));
}
