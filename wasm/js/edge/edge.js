// The names of section 8 of the contract over the module. Every rule and every message is the module's.

import * as glue from "./halcyon_bg.js";
import { encode, encoder } from "./value.js";

/** What a module is instantiated with. */
export const imports = { "./halcyon_bg.js": glue };

// What a core can be asked: src/js.rs has the same order.
const [VARIABLES, ACTIVE_REGIONS, PREFERRED_REGION, NEXT_FAILOVER, VALIDATE, NO_TEXT, NO_JSON] = Array(7).keys();
const [OF_VARIABLES, OF_TABLE, WITH_HEALTH, NAMES, PREFERRED, FAILURE] = [7, 8, 9, 10, 11, 12];

const decoder = new TextDecoder();

let memory;
// what the module exports for every request
let route;
// a core without a table, for everything else
let nobody;
// the module's buffer, for what goes in often; without a length once the memory has grown
let bytes = [];
// the names of variables
let asked;

// ids up to here go in character by character; where it pays to encode them sooner, the entry says so
let short = 64;

/** Takes the module's instance into use, before everything else; the first one stays, as it has what is held. */
export function use(instance, longest = short) {
  if (memory) return;
  short = longest;
  ({ memory, route } = instance.exports);
  glue.__wbg_set_wasm(instance.exports);
  // puts true, false and null where the module looks for them
  instance.exports.__wbindgen_start?.();
  nobody = new Core();
  asked = lines(ask(nobody, VARIABLES, null));
}

const view = (at, length) => new Uint8Array(memory.buffer, at, length);

// Puts bytes in; answers how many.
function put(bytes) {
  view(glue.buffer(bytes.length), bytes.length).set(bytes);
  return bytes.length;
}

const gone = globalThis.FinalizationRegistry && new FinalizationRegistry(([drop, at]) => drop(at));

/** Lets the module drop what it holds by a number when nobody has its owner any longer. */
export const owned = (owner, drop, at) => gone?.register(owner, [drop, at]);

// What the module holds by a number, as long as somebody has this.
class Core {
  constructor(at = glue.hold()) {
    this.at = at;
    owned(this, glue.drop, at);
  }
}

// Asks a core about a value.
function ask(core, question, value, now = Date.now()) {
  const length = glue.ask(core.at, question, put(encode(value)), now);
  const said = decoder.decode(view(glue.said(), length));
  if (said[0] !== "=") throw new HalcyonError(said);
  return said.slice(1);
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

// A Worker's variables may be numbers and booleans.
function variables(env) {
  const known = {};
  for (const name of asked) {
    const value = env?.[name];
    if (["string", "number", "boolean"].includes(typeof value)) known[name] = String(value);
  }
  return known;
}

const lines = (said) => said.split("\n").slice(1);

export const activeRegions = (env) => lines(ask(nobody, ACTIVE_REGIONS, variables(env)));

export const preferredRegion = (env, tenant) =>
  ask(nobody, PREFERRED_REGION, [variables(env), text(tenant)]);

export const nextFailover = (env, current) =>
  ask(nobody, NEXT_FAILOVER, [variables(env), text(current, "bad_region")]);

export function validateRegionConfig(env) {
  const of = { r: [], p: [], f: [], e: [], w: [] };
  for (const line of lines(ask(nobody, VALIDATE, variables(env)))) of[line[0]].push(line.slice(1));
  return {
    valid: of.e.length === 0,
    regions: of.r,
    primary: of.p[0] ?? null,
    policy: of.f[0],
    errors: of.e,
    warnings: of.w,
  };
}

export function text(value, code) {
  if (typeof value === "string") return value;
  try {
    return ask(nobody, NO_TEXT, value === null ? "null" : typeof value);
  } catch (error) {
    error.code = code ?? error.code;
    throw error;
  }
}

/** A table, or that of its JSON. */
export function parsed(table) {
  if (typeof table !== "string") return table;
  try {
    return JSON.parse(table);
  } catch (why) {
    return ask(nobody, NO_JSON, why.message);
  }
}

const SLOTS = ["blue", "green"];
const REASONS = ["primary", "hash", "rendezvous", "residency", "pinned", "failover", "all_down"];

// answers from here on are none

const ERROR = 1 << 24;
// bytes of the module's buffer that stays where it is
const BUFFER = 1024;
// places for answers of single tenants
const KEPT = 1024;
// shorter and longer ids are not kept
const SHORT = 3;
const LONG = 256;

// Puts in a tenant; answers how many bytes.
function enter(tenant) {
  if (bytes.length === 0) bytes = view(glue.buffer(0), BUFFER);
  const length = tenant.length;
  if (length <= short) {
    let at = 0;
    for (; at < length; at++) {
      const code = tenant.charCodeAt(at);
      if (code > 127) break;
      bytes[at] = code;
    }
    if (at === length) return length;
  }
  if (3 * length > BUFFER) return put(encoder.encode(tenant));
  return encoder.encodeInto(tenant, bytes).written;
}

/** The number of what a router is over, for what people ask besides. */
export let coreOf;

export class Router {
  #core;
  // its number
  #at;
  #epoch;
  // what is kept holds up to here
  #until;
  #names;
  // by what the module answers
  #answers;
  // of a region's place in it
  #bits;
  // by place
  #tenants;
  #kept;

  static {
    coreOf = (router) => router.#at;
  }

  constructor(table) {
    const ready = table instanceof Core;
    this.#core = ready ? table : new Core();
    this.#at = this.#core.at;
    if (ready) this.#take();
    else this.update(table);
  }

  static fromEnv(env) {
    const core = new Core();
    ask(core, OF_VARIABLES, variables(env));
    return new Router(core);
  }

  #take() {
    const [epoch, until, bits, ...names] = ask(this.#core, NAMES, null).split("\n");
    this.#epoch = Number(epoch) || null;
    this.#until = until === "" ? Infinity : Number(until);
    this.#bits = Number(bits);
    this.#names = names;
    this.#answers = [];
    this.#tenants = new Array(KEPT).fill("");
    this.#kept = new Array(KEPT).fill(null);
  }

  get regions() {
    return [...this.#names];
  }

  get epoch() {
    return this.#epoch;
  }

  update(table) {
    ask(this.#core, OF_TABLE, parsed(table));
    this.#take();
  }

  withHealth(region, status) {
    const core = new Core(glue.copy(this.#at));
    ask(core, WITH_HEALTH, [text(region, "bad_region"), text(status, "bad_status")]);
    return new Router(core);
  }

  route(tenant) {
    if (typeof tenant !== "string") text(tenant);
    const now = this.#until === Infinity ? 0 : Date.now();
    const length = tenant.length;
    if (length < SHORT || length > LONG || now > this.#until) return this.#answer(this.#ask(tenant, now), tenant, now);
    // Of 500 ids that count up, of as many UUIDs or two words each, some 400 have a place of their own; the most that
    // can be hoped for.
    const place =
      (length ^
        (tenant.charCodeAt(1) << 4) ^
        (tenant.charCodeAt(length - 3) << 7) ^
        tenant.charCodeAt(length - 2) ^
        (tenant.charCodeAt(length - 1) << 3)) &
      (KEPT - 1);
    if (this.#tenants[place] === tenant) return this.#kept[place];
    const answer = this.#answer(this.#ask(tenant, now), tenant, now);
    this.#tenants[place] = tenant;
    this.#kept[place] = answer;
    return answer;
  }

  preferredRegion(tenant) {
    text(tenant);
    const packed = this.#ask(tenant, 0);
    if (packed < ERROR) return this.#names[packed >>> (4 + this.#bits)];
    return ask(this.#core, PREFERRED, tenant);
  }

  routeMany(tenants) {
    const now = this.#until === Infinity ? 0 : Date.now();
    // to copy it takes longer than all else
    const list = Array.isArray(tenants) ? tenants : Array.from(tenants);
    const count = list.length;
    const lengths = new Uint32Array(count);
    // Added up and not joined: so it is put together once, when it is encoded.
    let ids = "";
    let index = 0;
    for (; index < count; index++) {
      const tenant = list[index];
      if (typeof tenant !== "string") break;
      ids += tenant;
      lengths[index] = tenant.length;
    }
    if (index === count) {
      const units = ids.length;
      const bytes = view(glue.buffer(4 * count + units), 4 * count + units);
      bytes.set(new Uint8Array(lengths.buffer));
      // Where there is room for a byte a character and all have gone in, all are ASCII, and an id has as many bytes.
      if (encoder.encodeInto(ids, bytes.subarray(4 * count)).read === units) {
        const at = glue.routeMany(this.#at, bytes.length, count, now);
        // A copy: saying why there is no answer may make the memory grow, and a view of it be of nothing.
        const packed = new Uint32Array(memory.buffer, at, count).slice();
        const answers = new Array(count);
        for (let index = 0; index < count; index++) {
          answers[index] = this.#answers[packed[index]] ?? this.#oneOf(packed[index], list[index], now);
        }
        return answers;
      }
    }
    // Not text, or not ASCII: one by one.
    return Array.from(list, (tenant) => this.#one(tenant, now));
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
      return this.#answer(packed, tenant, now);
    } catch (error) {
      return none(error);
    }
  }

  cohort(tenant) {
    return glue.cohort(this.#at, enter(text(tenant)), Date.now()) || null;
  }

  // What the module answers for a tenant.
  #ask(tenant, now) {
    return route(this.#at, enter(tenant), now) >>> 0;
  }

  #answer(packed, tenant, now) {
    const known = this.#answers[packed];
    if (known !== undefined) return known;
    if (packed >= ERROR) ask(this.#core, FAILURE, tenant, now);
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
