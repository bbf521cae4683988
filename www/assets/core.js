// The decision core in this browser. Without it the page shows what the server says, and says that nobody checked.

import { effect, signal } from "/vendor/signals.mjs";
import { get } from "/api.js";
import { open, snapshot } from "/live.js";

/** `ready` once it is there; `why` where it could not be loaded. */
export const core = signal({ ready: false, why: null });

/** Each region's share of all tenants by the table in force, 0 to 1; null before that is known. */
export const shares = signal(null);

/** Why they are not known, where they could not be had. */
export const unshared = signal(null);

// Not before the regions can be seen: its modules are as many as those of half the page.
const page = () => import("/page/browser.js");

let known = null;
/** Only the newest question counts. */
let asked = 0;
let again;

/** What the shares depend on, as far as the snapshot has it: asked for again only when something in it is another. */
const key = ({ revision, placement, regions }) =>
  JSON.stringify([revision, placement, regions.map(({ name, status, weight }) => [name, status, weight])]);

async function count(rest = 2_000) {
  clearTimeout(again);
  asked += 1;
  const mine = asked;
  try {
    const table = await get("/api/v1/table");
    const { simulate } = await page();
    if (mine !== asked) return;
    // Nobody moves from a table to itself, so what each region has is what it has now.
    const { of, regions } = simulate(table, table);
    shares.value = new Map(regions.map(({ region, after }) => [region, after / of]));
    unshared.value = null;
  } catch (why) {
    if (mine !== asked) return;
    shares.value = null;
    unshared.value = why.message;
    again = setTimeout(() => count(Math.min(rest * 2, 60_000)), rest);
  }
}

export async function load() {
  try {
    const { default: init } = await page();
    await init();
    core.value = { ready: true, why: null };
  } catch (why) {
    core.value = { ready: false, why: why.message };
    return;
  }
  effect(() => {
    const state = snapshot.value;
    // A server that has come back may have other rules.
    const now = state === null || state.regions.length === 0 || !open.value ? null : key(state);
    if (now === known) return;
    known = now;
    if (now !== null) setTimeout(count);
  });
}
