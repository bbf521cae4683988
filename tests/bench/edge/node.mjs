// CPU time in Node, ns for an id, the median of rounds that take turns; and how long the module takes to load. Wants --expose-gc.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as api from "@halcyon/edge";
import { ids, works } from "./work.mjs";

const all = works(api, createRequire(import.meta.url)("hashring"));
const list = ids(1_000 * 16);
const thousands = Array.from({ length: 16 }, (_, n) => list.slice(n * 1_000, (n + 1) * 1_000));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const rounds = Object.fromEntries(Object.keys(all).map((name) => [name, []]));
for (let round = 0; round < 41; round++) {
  for (const [name, work] of Object.entries(all)) {
    const times = name === "hashring" ? 1 : 8;
    // Each pays for its own garbage, and for nobody else's.
    gc({ type: "minor" });
    const before = process.cpuUsage();
    for (let time = 0; time < times; time++) for (const thousand of thousands) work(thousand);
    gc({ type: "minor" });
    const { user, system } = process.cpuUsage(before);
    if (round > 0) rounds[name].push(((user + system) * 1000) / (times * list.length));
  }
}
const said = Object.fromEntries(Object.entries(rounds).map(([name, values]) => [name, median(values)]));

const bytes = readFileSync(new URL("halcyon_bg.wasm", import.meta.resolve("@halcyon/edge")));
const { imports } = await import(new URL("edge.js", import.meta.resolve("@halcyon/edge")));
const loads = Array.from({ length: 41 }, () => {
  const before = performance.now();
  new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  return performance.now() - before;
});
said.load_ms = median(loads);
console.log(JSON.stringify(said));
