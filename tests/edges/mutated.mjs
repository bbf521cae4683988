// Changes a signed table in every way that something may happen to it, and asks the template whether it is
// good: prints how many were tried, and how many of them were taken. The first is the table as it is.
//
//   node mutated.mjs KEY SIGNATURE COUNT < TABLE

import { readFileSync } from "node:fs";

const { verify, readKeys } = await import(`${process.cwd()}/signature.js`);
const [key, signature, count] = process.argv.slice(2);
const table = new Uint8Array(readFileSync(0));
const problems = [];
const keys = readKeys(key, problems);
if (problems.length > 0) throw new Error(problems.join("; "));

// The same numbers in every run: a linear congruential generator (Numerical Recipes).
let state = 1;
const below = (limit) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % limit;

function changed(bytes) {
  const at = below(bytes.length);
  switch (below(5)) {
    case 0:
      return bytes.map((byte, place) => (place === at ? byte ^ (1 << below(8)) : byte));
    case 1:
      return Uint8Array.of(...bytes.subarray(0, at), below(256), ...bytes.subarray(at));
    case 2:
      return Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1));
    case 3:
      return bytes.slice(0, at);
    default:
      return Uint8Array.of(...bytes, ...bytes.subarray(at));
  }
}

const good = (bytes, by) => verify(keys, bytes, by).then(() => 1, () => 0);
const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);
let [tried, taken] = [0, 0];
while (tried < count) {
  // Some at once: the work is done on other threads.
  const batch = Array.from({ length: 500 }, () => {
    if (below(4) > 0) {
      let bytes = changed(table);
      if (bytes.length > 0 && below(2) > 0) bytes = changed(bytes);
      return same(bytes, table) ? 0 : good(bytes, signature);
    }
    const raw = Uint8Array.from(atob(signature), (unit) => unit.charCodeAt(0));
    const other = changed(raw);
    return same(other, raw) ? 0 : good(table, btoa(String.fromCharCode(...other)));
  });
  for (const one of await Promise.all(batch)) taken += one;
  tried += batch.length;
}
console.log(JSON.stringify({ whole: await good(table, signature), tried, taken }));
