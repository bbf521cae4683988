// Counts a great deal while nobody takes it, and says what comes once somebody does.
import { readFileSync } from "node:fs";

const { Telemetry } = await import(`${process.cwd()}/telemetry.js`);
const { regions, rounds } = JSON.parse(readFileSync(0));

// The clock and the other side are ours.
let now = 0;
performance.now = () => now;
let taking = false;
let bodies = [];
globalThis.fetch = async (_, { body }) => {
  if (!taking) throw new Error("away");
  bodies.push(body);
  return new Response(null, { status: 204 });
};

const telemetry = new Telemetry({ telemetryUrl: "http://away.test/", telemetryMs: 10_000 }, () => {});
async function round(requests) {
  for (let n = 0; n < requests; n++) {
    const done = telemetry.begin({ release: '{"id":"r1","weight":50}', cohort: 1 + (n % 100) }, { region: `region-${n % regions}`, slot: "blue" });
    now += (n * 7919) % 97;
    done(n % 9 === 0);
  }
  // Longer than the template ever rests, a minute and a fifth: every round tells.
  now += 80_000;
  let sending;
  telemetry.tell((promise) => (sending = promise));
  await sending;
}

for (let n = 0; n < rounds; n++) await round(2_000);
taking = true;
await round(1);
const reports = bodies;
bodies = [];
taking = false;
await round(1);
now += 90_000_000;
taking = true;
await round(0);
console.log(JSON.stringify({ reports, kept_bytes: reports.join("").length, after_a_day: bodies.length }));
