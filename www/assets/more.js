// What stands below the regions, and comes behind them.

import { render } from "/vendor/preact.mjs";
import { Access } from "/access.js";
import { verify } from "/chain.js";
import { Charts } from "/charts.js";
import { load } from "/core.js";
import { html } from "/html.js";
import { Help } from "/keys.js";
import { Lookup } from "/lookup.js";
import { Release } from "/release.js";
import { Timeline } from "/timeline.js";
import { WhatIf } from "/whatif.js";

/** Shows what the server says, and then what the core decides in this browser. */
export async function begin(more, decided) {
  render(html`<${Release} /><${Charts} /><${Timeline} /><${Access} />`, more);
  await load();
  render(html`<${Lookup} /><${WhatIf} /><${Help} />`, decided);
  verify();
}
