// What the package promises beside its answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import init, { activeRegions, HalcyonError, nextFailover, preferredRegion, Router, validateRegionConfig } from "@halcyon/edge";

const table = (changes = {}) => ({
  format: 1,
  epoch: 7,
  issued_at: "2026-01-01T00:00:00.000Z",
  deployment: "shop",
  regions: ["us-east", "us-west", "eu-west"].map((name) => ({ name, weight: 1, status: "up" })),
  primary: "us-east",
  sticky: "hash",
  failover: "ordered",
  ...changes,
});
const canary = (valid_until, weight = 100) => ({ id: "r1", state: "canary", weight, valid_until });

const refused = (call, code, ...problems) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof HalcyonError && error instanceof Error);
    assert.equal(error.name, "HalcyonError");
    assert.equal(error.code, code);
    assert.deepEqual(error.problems, problems);
    assert.equal(error.message, problems.join("; "));
    return true;
  });

test("importing is enough, and init may be awaited all the same", async () => {
  assert.equal(new Router(table()).route("acme").region, "us-east");
  assert.equal(await init(), undefined);
});

test("a second way in changes nothing for those who came by the first", async () => {
  const ids = Array.from({ length: 50 }, (_, n) => `tenant-${n}`);
  const router = new Router(table());
  const expected = ids.map((id) => router.route(id));
  const entry = new URL(import.meta.resolve("@halcyon/edge"));
  const again = await import(`${entry}?again`);
  assert.equal(await again.default(), undefined);
  const later = new Router(table());
  for (const [place, id] of ids.entries()) {
    assert.deepEqual(later.route(id), expected[place]);
    assert.deepEqual(router.route(id), expected[place]);
    assert.equal(new again.Router(table()).preferredRegion(id), expected[place].preferred);
  }
});

test("a table may be an object or its JSON", () => {
  const [one, other] = [new Router(table()), new Router(JSON.stringify(table()))];
  for (let n = 0; n < 100; n++) assert.deepEqual(one.route(`t${n}`), other.route(`t${n}`));
  other.update(JSON.stringify(table({ epoch: 8 })));
  assert.equal(other.epoch, 8);
});

test("a bad table throws one error with every problem", () => {
  refused(
    () => new Router({ ...table({ sticky: "sticky", epoch: 0 }), extra: 1, primary: "mars" }),
    "bad_table",
    'the table has the unknown key "extra"; allowed: format, epoch, issued_at, deployment, regions, primary, sticky, failover, hash_key, rules, release',
    'the table has "epoch" = 0; allowed: whole numbers from 1 to 9007199254740991',
    'the table has "sticky" = "sticky"; allowed: primary, hash, rendezvous',
    'the table has "primary" = "mars"; allowed: us-east, us-west, eu-west',
  );
  for (const text of ["", "{", "nonsense"]) assert.throws(() => new Router(text), /the table is no JSON: /);
  for (const value of [null, undefined, 7, true, [], () => {}, Symbol("s")]) {
    assert.throws(() => new Router(value), { code: "bad_table" });
  }
  let deep = [];
  for (let n = 0; n < 200; n++) deep = [deep];
  const circle = table();
  circle.rules = { pins: [circle] };
  const deepText = "[".repeat(5_000) + "]".repeat(5_000);
  const circles = table();
  circles.rules = { pins: [circles, circles], slots: [circles, circles] };
  for (const value of [deep, circle, circles, deepText]) assert.throws(() => new Router(value), { code: "bad_table" });
});

test("every refused table leaves the one that is held", () => {
  const router = new Router(table());
  const before = router.route("tenant1");
  const other = table({ epoch: 8, regions: [{ name: "mars", weight: 1, status: "up" }], primary: "mars" });
  refused(() => router.update({ ...other, epoch: 6 }), "refused_table", "table of epoch 6: older than epoch 7, which is held; allowed: a greater epoch");
  refused(() => router.update({ ...other, epoch: 7 }), "refused_table", "table of epoch 7: another table of that epoch is held; allowed: a greater epoch");
  refused(() => router.update({ ...other, deployment: "other" }), "refused_table", 'table of deployment "other": allowed: "shop", whose table is held');
  assert.throws(() => router.update({ ...other, epoch: Date.now() + 2 * 86_400_000 }), { code: "refused_table" });
  refused(() => router.update({ ...other, format: 2 }), "bad_table", "the table has format 2, which this version does not know; allowed: 1");
  assert.throws(() => router.update({ ...other, regions: [] }), { code: "bad_table" });
  assert.throws(() => router.update("{"), { code: "bad_table" });
  assert.deepEqual([router.epoch, router.regions, router.route("tenant1")], [7, ["us-east", "us-west", "eu-west"], before]);
  router.update(table()); // the very one
  router.update(other);
  assert.deepEqual([router.epoch, router.regions, router.route("tenant1").region], [8, ["mars"], "mars"]);
});

test("a router of variables takes tables of its deployment alone", () => {
  const router = Router.fromEnv({ REGIONS: "us-east,us-west", TENANT_STICKY: "hash", HALCYON_DEPLOYMENT: "shop" });
  assert.deepEqual([router.epoch, router.regions], [null, ["us-east", "us-west"]]);
  refused(
    () => router.update(table({ deployment: "bank" })),
    "refused_table",
    'table of deployment "bank": allowed: "shop", which HALCYON_DEPLOYMENT names',
  );
  assert.equal(router.epoch, null);
  router.update(table());
  assert.equal(router.epoch, 7);
  refused(
    () => Router.fromEnv({ REGIONS: "us east", TENANT_STICKY: "hash", HALCYON_DEPLOYMENT: "my shop" }),
    "bad_config",
    'REGIONS: "us east" is not a region name; allowed: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit',
    'HALCYON_DEPLOYMENT: "my shop" is not a deployment\'s name; allowed: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit',
  );
  Router.fromEnv({ REGIONS: "us-east", TENANT_STICKY: "hash" }).update(table({ deployment: "bank" }));
});

test("variables are asked by name alone, and numbers and booleans count as their text", () => {
  const asked = new Set();
  const env = new Proxy(
    { REGIONS: "us-east,us-west", PRIMARY_REGION: "us-east", DB: { secret: true } },
    { get: (of, name) => (asked.add(name), of[name]) },
  );
  assert.deepEqual(activeRegions(env), ["us-east", "us-west"]);
  assert.equal(preferredRegion(env, "acme"), "us-east");
  assert.equal(nextFailover(env, "us-west"), "us-east");
  assert.ok(asked.has("REGIONS") && !asked.has("DB"));
  const report = validateRegionConfig({ REGIONS: 7, PRIMARY_REGION: true });
  assert.deepEqual(report.errors, ['PRIMARY_REGION: "true" is not in REGIONS; allowed: 7']);
  for (const nothing of [undefined, null, {}]) assert.throws(() => activeRegions(nothing), { code: "bad_config" });
});

test("health is known to the other router alone, until the next table", () => {
  const router = new Router(table());
  const home = router.route("acme").region;
  const without = router.withHealth(home, "down");
  const moved = without.route("acme");
  assert.deepEqual([moved.preferred, moved.reason], [home, "failover"]);
  assert.notEqual(moved.region, home);
  assert.equal(router.route("acme").region, home);
  assert.equal(without.withHealth(home, "up").route("acme").region, home);
  without.update(table()); // the very one: no next table
  assert.deepEqual(without.route("acme"), moved);
  without.update(table({ epoch: 8 }));
  assert.equal(without.route("acme").region, home);
  refused(() => router.withHealth("mars", "down"), "bad_region", "mars is no region; allowed: us-east, us-west, eu-west");
  refused(() => router.withHealth(home, "Up"), "bad_status", '"Up" is no status; allowed: up, down, draining, forbidden');
  const noText = "this is no text but undefined; allowed: text";
  refused(() => router.withHealth(undefined, "down"), "bad_region", noText);
  refused(() => router.withHealth(home), "bad_status", noText);
  refused(() => nextFailover({ REGIONS: "us-east,us-west" }), "bad_region", noText);
});

test("green ends with its share, kept answers too, and comes back with a newer table", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-06-01T00:00:00Z") });
  const router = new Router(table({ release: canary("2026-06-01T00:03:00.000Z") }));
  const slots = () => ["acme", "acme", "tenant1"].map((tenant) => router.route(tenant).slot);
  assert.deepEqual(slots(), ["green", "green", "green"]);
  context.mock.timers.setTime(Date.parse("2026-06-01T00:03:00.000Z"));
  assert.deepEqual(slots(), ["green", "green", "green"]);
  context.mock.timers.setTime(Date.parse("2026-06-01T00:03:00.001Z"));
  assert.deepEqual(slots(), ["blue", "blue", "blue"]);
  assert.equal(router.routeMany(["acme"])[0].slot, "blue");
  router.update(table({ epoch: 8, release: canary("2026-06-01T00:06:00.000Z") }));
  assert.deepEqual(slots(), ["green", "green", "green"]);
});

test("a tenant without a region is an error alone, and an entry among many", () => {
  const regions = [
    { name: "us-east", weight: 1, status: "up" },
    { name: "eu-west", weight: 1, status: "forbidden" },
  ];
  const rules = { residency: [{ tenant: "bank-*", regions: ["eu-west"] }, { tenant: "ghost", regions: [] }] };
  const router = new Router(table({ regions, rules }));
  const all = "residency_unavailable: every region allowed for this tenant is forbidden";
  const none = "residency_unavailable: the tenant's residency allows no region";
  refused(() => router.route("bank-7"), "residency_unavailable", all);
  refused(() => router.route("ghost"), "residency_unavailable", none);
  assert.equal(router.preferredRegion("bank-7"), "eu-west");
  refused(() => router.preferredRegion("ghost"), "residency_unavailable", none);
  const [bank, acme, ghost] = router.routeMany(["bank-7", "acme", "ghost"]);
  assert.deepEqual([bank.region, bank.error.message, acme.region, ghost.error.message], [null, all, "us-east", none]);
});

test("ids of every length and script are answered alike, kept or not", () => {
  const router = new Router(table());
  const ids = ["a", "ü", "€", "🌍", "\ud800", "a\nb", "\0", "x".repeat(64), "x".repeat(65), "x".repeat(256), "x".repeat(257)];
  ids.push("ü".repeat(32), "ü".repeat(512), "€".repeat(400), "x".repeat(1025), "x".repeat(16_384), "🌍".repeat(4096));
  const many = router.routeMany(ids);
  for (const [index, id] of ids.entries()) {
    for (let turn = 0; turn < 3; turn++) assert.deepEqual(router.route(id), many[index]);
  }
  for (const id of ["", "x".repeat(16_385), "🌍".repeat(4097)]) {
    assert.throws(() => router.route(id), { code: "bad_tenant" });
    assert.equal(router.routeMany([id])[0].error.code, "bad_tenant");
  }
  for (const id of [undefined, null, 7, {}, ["acme"], Symbol("s")]) {
    assert.throws(() => router.route(id), { code: "bad_tenant" });
    assert.throws(() => router.preferredRegion(id), { code: "bad_tenant" });
    assert.equal(router.routeMany([id, "acme"])[0].error.code, "bad_tenant");
  }
  assert.deepEqual(router.routeMany([]), []);
  assert.deepEqual(router.routeMany([""]).length, 1);
  assert.deepEqual(router.routeMany(new Set(["acme"])), [router.route("acme")]);
});

test("what is wrong with one of many changes no answer of another, however much memory it takes to say", () => {
  const ids = Array.from({ length: 50 }, (_, n) => `tenant-${n}`);
  const expected = ids.map((id) => new Router(table()).route(id));
  assert.ok(expected.some(({ region }) => region !== "us-east"));
  for (const length of [20_000, 300_000, 3_000_000, 8_000_000]) {
    const router = new Router(table());
    const [first, ...others] = router.routeMany(["x".repeat(length), ...ids]);
    assert.equal(first.error.code, "bad_tenant");
    assert.deepEqual(others, expected, `${length}`);
  }
});

test("what is no text among many is an entry with its error", () => {
  const router = new Router(table());
  for (const wrong of [null, undefined, 7, Symbol("acme"), {}, ["acme"]]) {
    const [first, none, last] = router.routeMany(["acme", wrong, "globex"]);
    assert.deepEqual([first, last], [router.route("acme"), router.route("globex")]);
    assert.equal(none.error.code, "bad_tenant");
  }
});

test("an answer is frozen and the same one for the same words", () => {
  const router = new Router(table());
  const answer = router.route("acme");
  assert.ok(Object.isFrozen(answer));
  assert.equal(router.route("acme"), answer);
  assert.equal(router.routeMany(["acme"])[0], answer);
});

test("memory is bounded, however many tenants, tables and routers there are", () => {
  const pins = (of) => Array.from({ length: 5_000 }, (_, n) => ({ tenant: `pinned-${of}-${n}`, region: "us-east" }));
  const router = new Router(table({ rules: { pins: pins(0) } }));
  const grown = () => {
    for (let n = 0; n < 100_000; n++) router.route(`tenant-${n}`);
    router.routeMany(Array.from({ length: 10_000 }, (_, n) => `tenant-${n}`));
    return process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  };
  let epoch = 7;
  const update = () => router.update(table({ epoch: ++epoch, rules: { pins: pins(epoch) } }));
  for (let n = 0; n < 5; n++) update();
  const before = grown();
  for (let n = 0; n < 40; n++) update();
  assert.ok(grown() < before + (8 << 20), `${before} bytes, then ${grown()}`);
});

test("what nobody has any longer is dropped, and nobody else's answers change", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const pins = Array.from({ length: 5_000 }, (_, n) => ({ tenant: `pinned-${n}`, region: "us-east" }));
  const held = () => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  const kept = [];
  let early;
  for (let n = 0; n < 200; n++) {
    const router = new Router(table({ rules: { pins } }));
    const other = router.withHealth("us-east", "forbidden");
    assert.throws(() => new Router(table({ regions: [] })));
    if (n % 40 === 0) kept.push(router, other);
    // What is gone is told of between two turns of the loop.
    gc();
    await new Promise((go) => setImmediate(go));
    if (n === 50) early = held();
  }
  assert.ok(held() < early + (8 << 20), `${early} bytes, then ${held()}`);
  assert.equal(kept.length, 10);
  for (const [place, router] of kept.entries()) {
    assert.equal(router.route("pinned-7").region === "us-east", place % 2 === 0);
  }
});
