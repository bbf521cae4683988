// What if, computed beside the page: it stays as quick as it is, however many tenants there are.

import init, { Router, simulate } from "/page/browser.js";

const ready = init();

/** Of so many regions the loss is counted, each by itself. */
const LOSSES = 32;

function losses(table) {
  const serving = table.regions.filter(({ status }) => status === "up");
  if (serving.length < 2) return [];
  return serving.slice(0, LOSSES).map(({ name: lost }) => {
    const regions = table.regions.map((region) =>
      region.name === lost ? { ...region, status: "down" } : region,
    );
    const moves = simulate(table, { ...table, regions });
    const others = moves.regions.filter(({ region }) => region !== lost && region !== null);
    const loads = others.map(({ region, load_percent: load }) => ({ region, load }));
    const nowhere = moves.regions.find(({ region }) => region === null)?.after ?? 0;
    return { lost, loads, nowhere: nowhere / moves.of };
  });
}

/** How a list of tenants moves: from where to where, and who has no region left. */
function counted(from, to, tenants) {
  const [before, after] = [new Router(from), new Router(to)].map((router) => router.routeMany(tenants));
  const flows = new Map();
  let [moved, recoloured, nowhere] = [0, 0, 0];
  for (let place = 0; place < tenants.length; place += 1) {
    const [was, is] = [before[place], after[place]];
    if (is.region === null || is.region === undefined) nowhere += 1;
    if (was.slot !== is.slot) recoloured += 1;
    if (was.region === is.region) continue;
    moved += 1;
    const way = JSON.stringify([was.region ?? null, is.region ?? null]);
    flows.set(way, (flows.get(way) ?? 0) + 1);
  }
  const all = [...flows].map(([way, count]) => [...JSON.parse(way), count]);
  all.sort((a, b) => b[2] - a[2]);
  return { of: tenants.length, moved, recoloured, nowhere, flows: all.slice(0, 100) };
}

/** Ids as tenants have them, the same for everybody. */
const synthetic = (count) => Array.from({ length: count }, (_, number) => `tenant-${number}`);

/** What was pasted, an id a line. */
function ids(pasted, count) {
  const lines = pasted.split("\n").map((line) => line.replace(/\r$/, ""));
  const tenants = lines.filter((line) => line !== "");
  return tenants.length > 0 ? tenants : synthetic(count);
}

onmessage = async ({ data: { from, to, pasted, count } }) => {
  try {
    await ready;
    const begun = performance.now();
    const moves = simulate(from, to);
    const list = counted(from, to, ids(pasted, count));
    const took = performance.now() - begun;
    postMessage({ moves, list, took, more: true });
    postMessage({ losses: losses(to) });
  } catch (why) {
    const problems = why.problems ?? [why.message];
    postMessage({ problems });
  }
};
