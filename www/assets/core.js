// The decision core in this browser. Without it the page shows what the server says, and says that nobody checked.

import { effect, signal } from "/vendor/signals.mjs";
import { get } from "/api.js";
import { snapshot } from "/live.js";
import init, { simulate } from "/page/browser.js";

/** `ready` once it is there; `why` where it could not be loaded. */
export const core = signal({ ready: false, why: null });

/** Each region's share of all tenants by the table in force, 0 to 1; null before that is known. */
export const shares = signal(null);

/** Why they are not known, where they could not be had. */
export const unshared = signal(null);

let known = null;

/** What the shares depend on: asked for again only when something in it is another. */
const key = ({ revision, regions }) =>
  JSON.stringify([revision, regions.map(({ name, status, weight }) => [name, status, weight])]);

async function count() {
  try {
    const table = await get("/api/v1/table");
    // Nobody moves from a table to itself, so what each region has is what it has now.
    const { of, regions } = simulate(table, table);
    shares.value = new Map(regions.map(({ region, after }) => [region, after / of]));
    unshared.value = null;
  } catch (why) {
    shares.value = null;
    unshared.value = why.message;
  }
}

export async function load() {
  try {
    await init();
    core.value = { ready: true, why: null };
  } catch (why) {
    core.value = { ready: false, why: why.message };
    return;
  }
  effect(() => {
    const state = snapshot.value;
    const now = state === null || state.regions.length === 0 ? null : key(state);
    if (now === known) return;
    known = now;
    if (now === null) shares.value = null;
    else count();
  });
}
