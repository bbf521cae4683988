// The table that is held, and the next one. Which one may follow is the core's word: `Router.update`.

import { HalcyonError, Router } from "@halcyon/edge";
import { ascii } from "./problem.js";
import { verify } from "./signature.js";

/** The longest table that is read, in bytes. */
const LONGEST = 16 * 1024 * 1024;

/** How soon the next attempt is, in milliseconds, as long as there is no table at all. */
const SOON = 1_000;

export class Tables {
  #settings;
  #log;
  #router;
  #addresses = new Map(); // by region: { blue, green }
  #without = new Map(); // by region: the router that takes it for down
  #release = ""; // as JSON
  #etag = null;
  #next = 0; // when the next fetch may begin
  #busyUntil = 0; // a fetch is under way, or its request was cancelled and it will never come back

  /** Throws where `HALCYON_DEPLOYMENT` is wrong (`bad_config`), or `TABLE` is refused. */
  constructor(settings, log) {
    this.#settings = settings;
    this.#log = log;
    // Until there is a table this router answers nobody. It exists because only variables tell the core
    // whose tables it may take.
    this.#router = Router.fromEnv({
      REGIONS: "none",
      PRIMARY_REGION: "none",
      HALCYON_DEPLOYMENT: settings.deployment,
    });
    if (settings.table !== undefined) this.#take(parse(settings.table));
  }

  get held() {
    return this.#router.epoch !== null;
  }

  route(tenant) {
    return this.#router.route(tenant);
  }

  /** Where a tenant goes if this region is down. */
  routeWithout(region, tenant) {
    let router = this.#without.get(region);
    if (router === undefined) {
      // A table may have come since, without the region.
      const known = this.#router.regions.includes(region);
      router = known ? this.#router.withHealth(region, "down") : this.#router;
      this.#without.set(region, router);
    }
    return router.route(tenant);
  }

  /** The address of a placement's pool, if the table has one. */
  address({ region, slot }) {
    return this.#addresses.get(region)?.[slot];
  }

  /** By what a tenant's requests are counted: the table's release as JSON, empty without one, and the cohort in it. */
  counted(tenant) {
    return { release: this.#release, cohort: this.#router.cohort(tenant) };
  }

  /**
   * Fetches the next table in the background when it is time: at most one fetch at once, and no request
   * ever waits for it. What one request began, another may not await in Workers: only flags are shared.
   */
  refresh(background) {
    const now = Date.now();
    const { tableUrl, refreshMs, tableTimeoutMs } = this.#settings;
    if (tableUrl === undefined || now < this.#next || now < this.#busyUntil) return;
    this.#busyUntil = now + tableTimeoutMs + SOON;
    background(
      this.#fetch()
        .catch((why) => this.#log(`halcyon: table not taken: ${said(why)}`))
        .finally(() => {
          // A fleet that started at once shall not ask at once.
          const wait = this.held ? refreshMs : Math.min(refreshMs, SOON);
          this.#next = Date.now() + wait * (0.8 + 0.4 * Math.random());
          this.#busyUntil = 0;
        }),
    );
  }

  async #fetch() {
    const { tableUrl, tableToken, tableTimeoutMs, tableKeys } = this.#settings;
    const headers = { accept: "application/json" };
    if (tableToken !== undefined) headers.authorization = `Bearer ${tableToken}`;
    if (this.#etag !== null) headers["if-none-match"] = this.#etag;
    const aborted = new AbortController();
    const timer = setTimeout(() => aborted.abort(), tableTimeoutMs);
    try {
      // Not followed: the variable says where tables come from, and where the token goes.
      const answer = await fetch(tableUrl, { headers, redirect: "manual", signal: aborted.signal });
      if (answer.status === 304 && this.#etag !== null) return;
      if (answer.status !== 200) {
        await answer.body?.cancel();
        throw new Error(`HTTP ${answer.status}`);
      }
      const bytes = await body(answer, aborted);
      // Before anything of it is parsed.
      await verify(tableKeys, bytes, answer.headers.get("x-halcyon-signature"));
      this.#take(parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
      this.#etag = answer.headers.get("etag");
    } catch (why) {
      throw aborted.signal.aborted && !(why instanceof TooLong) ? new Error(`not there within ${tableTimeoutMs} ms`) : why;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(table) {
    this.#router.update(table);
    this.#addresses = new Map(table.regions.map((region) => [region.name, region]));
    this.#without = new Map();
    const { release } = table;
    this.#release = release ? ascii(JSON.stringify({ id: release.id, weight: release.weight })) : "";
  }
}

class TooLong extends Error {}

/** The bytes of an answer, as long as they are not too many. */
async function body(answer, aborted) {
  const parts = [];
  let length = 0;
  for await (const part of answer.body ?? []) {
    length += part.byteLength;
    if (length > LONGEST) {
      aborted.abort();
      throw new TooLong(`longer than ${LONGEST} bytes`);
    }
    parts.push(part);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

function parse(table) {
  return typeof table === "string" ? JSON.parse(table) : table;
}

/** A reason as one line. */
export function said(why) {
  const lines = why instanceof HalcyonError ? why.problems : [why?.message ?? String(why)];
  return ascii(lines.slice(0, 8).join("; ")).slice(0, 500);
}
