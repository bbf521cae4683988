// The names of section 8 of the contract over the module. Every rule and every message is the module's.

import * as glue from "./halcyon_bg.js";
import { encode } from "./value.js";

/** What a module is instantiated with. */
export const imports = { "./halcyon_bg.js": glue };

let memory;

/** Takes the module's instance into use: once, before everything else. */
export function use(instance) {
  memory = instance.exports.memory;
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.(); // puts true, false and null where the module looks for them
}

/** Everything that is refused, with all that is wrong. */
export class HalcyonError extends Error {
  constructor(lines) {
    const [code, ...problems] = lines.split("\n");
    super(problems.join("; "));
    this.name = "HalcyonError";
    this.code = code;
    this.problems = problems;
  }
}

export function attempt(call) {
  try {
    return call();
  } catch (thrown) {
    throw typeof thrown === "string" ? new HalcyonError(thrown) : thrown;
  }
}

// A Worker's variables may be numbers and booleans.
const variables = (env) => ({
  variable(name) {
    const value = env?.[name];
    return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
  },
});

const names = (lines) => (lines === "" ? [] : lines.split("\n"));

export const activeRegions = (env) => names(attempt(() => glue.activeRegions(variables(env))));

export const preferredRegion = (env, tenant) =>
  attempt(() => glue.preferredRegion(variables(env), text(tenant)));

export const nextFailover = (env, current) =>
  attempt(() => glue.nextFailover(variables(env), text(current)));

export function validateRegionConfig(env) {
  const of = { r: [], p: [], f: [], e: [], w: [] };
  for (const line of names(glue.validateRegionConfig(variables(env)))) of[line[0]].push(line.slice(1));
  return {
    valid: of.e.length === 0,
    regions: of.r,
    primary: of.p[0] ?? null,
    policy: of.f[0],
    errors: of.e,
    warnings: of.w,
  };
}

export function text(value) {
  if (typeof value === "string") return value;
  throw new HalcyonError(glue.noText(value === null ? "null" : typeof value));
}

/** The bytes of a table: of an object, or of its JSON. */
export function bytes(table) {
  if (typeof table !== "string") return attempt(() => encode(table));
  let value;
  try {
    value = JSON.parse(table);
  } catch (why) {
    throw new HalcyonError(glue.noJson(why.message));
  }
  return encode(value);
}

const SLOTS = ["blue", "green"];
const REASONS = ["primary", "hash", "rendezvous", "residency", "pinned", "failover", "all_down"];

const ERROR = 1 << 24; // answers from here on are none
const BUFFER = 1024; // bytes of a router's buffer
const SHORT = 64; // ids up to here go in character by character
const KEPT = 1024; // places for answers of single tenants
const LONG = 256; // longer ids are not kept

const encoder = new TextEncoder();

/** What a router is over, for what people ask besides. */
export let coreOf;

export class Router {
  #core;
  #bytes; // a view of the core's buffer, without a length once the memory has grown
  #until; // what is kept holds up to here
  #names;
  #answers; // by what the module answers
  #bits; // of a region's place in it
  #tenants; // by place
  #kept;

  static {
    coreOf = (router) => router.#core;
  }

  constructor(table) {
    if (table instanceof glue.Core) {
      this.#take(table);
    } else {
      const value = bytes(table);
      this.#take(attempt(() => glue.Core.ofTable(value, Date.now())));
    }
  }

  static fromEnv(env) {
    return new Router(attempt(() => glue.Core.ofVariables(variables(env))));
  }

  #take(core) {
    this.#core = core;
    this.#bytes = new Uint8Array(memory.buffer, core.buffer(), BUFFER);
    this.#until = core.validUntil();
    this.#names = names(core.regions());
    this.#answers = [];
    this.#bits = core.bits();
    this.#tenants = new Array(KEPT).fill("");
    this.#kept = new Array(KEPT).fill(null);
  }

  get regions() {
    return [...this.#names];
  }

  get epoch() {
    return this.#core.epoch() || null;
  }

  update(table) {
    const why = this.#core.update(bytes(table), Date.now());
    if (why !== undefined) throw new HalcyonError(why);
    this.#take(this.#core);
  }

  withHealth(region, status) {
    return new Router(attempt(() => this.#core.withHealth(text(region), text(status))));
  }

  route(tenant) {
    if (typeof tenant !== "string") text(tenant);
    const now = this.#until === Infinity ? 0 : Date.now();
    const length = tenant.length;
    if (length > LONG || now > this.#until) return this.#answer(this.#ask(tenant, now), tenant, now);
    const place =
      (length ^
        tenant.charCodeAt(0) ^
        (tenant.charCodeAt(length >> 1) << 3) ^
        (tenant.charCodeAt(length - 2) << 4) ^
        (tenant.charCodeAt(length - 1) << 7)) &
      (KEPT - 1);
    if (this.#tenants[place] === tenant && length > 0) return this.#kept[place];
    const answer = this.#answer(this.#ask(tenant, now), tenant, now);
    this.#tenants[place] = tenant;
    this.#kept[place] = answer;
    return answer;
  }

  preferredRegion(tenant) {
    text(tenant);
    const packed = this.#ask(tenant, 0);
    if (packed < ERROR) return this.#names[packed >>> (4 + this.#bits)];
    return attempt(() => this.#core.preferred(tenant));
  }

  routeMany(tenants) {
    const now = this.#until === Infinity ? 0 : Date.now();
    const list = Array.from(tenants);
    const joined = list.every((tenant) => typeof tenant === "string") ? list.join("\n") : null;
    const at = joined === null ? 0 : this.#core.routeMany(joined, list.length, now);
    // Not text, or with a line feed in it: one by one.
    if (at === 0) return list.map((tenant) => this.#one(tenant, now));
    const packed = new Uint32Array(memory.buffer, at, list.length);
    return list.map((tenant, index) => this.#oneOf(packed[index], tenant, now));
  }

  #one(tenant, now) {
    try {
      return this.#answer(this.#ask(text(tenant), now), tenant, now);
    } catch (error) {
      return none(error);
    }
  }

  #oneOf(packed, tenant, now) {
    try {
      return this.#answers[packed] ?? this.#answer(packed, tenant, now);
    } catch (error) {
      return none(error);
    }
  }

  // What the module answers for a tenant.
  #ask(tenant, now) {
    let bytes = this.#bytes;
    if (bytes.length === 0) {
      bytes = this.#bytes = new Uint8Array(memory.buffer, this.#core.buffer(), BUFFER);
    }
    const length = tenant.length;
    if (length <= SHORT) {
      let at = 0;
      for (; at < length; at++) {
        const code = tenant.charCodeAt(at);
        if (code > 127) break;
        bytes[at] = code;
      }
      if (at === length) return this.#core.route(length, now);
    }
    if (3 * length > BUFFER) return this.#core.routeText(tenant, now);
    return this.#core.route(encoder.encodeInto(tenant, bytes).written, now);
  }

  #answer(packed, tenant, now) {
    const known = this.#answers[packed];
    if (known !== undefined) return known;
    if (packed >= ERROR) throw new HalcyonError(this.#core.failure(tenant, now));
    const answer = Object.freeze({
      region: this.#names[(packed >>> 4) & ((1 << this.#bits) - 1)],
      preferred: this.#names[packed >>> (4 + this.#bits)],
      slot: SLOTS[packed & 1],
      reason: REASONS[(packed >>> 1) & 7],
    });
    this.#answers[packed] = answer;
    return answer;
  }
}

const none = (error) => ({ region: null, preferred: null, slot: null, reason: null, error });
