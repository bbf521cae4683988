// What has been counted, and how a control plane comes to know it: in the background, later where nobody answers,
// and within bounds.

import { Counts } from "./counts.js";
import { said } from "./table.js";

/** The most batches of one report, and the most that are kept. */
const BATCHES_MAX = 64;

/** The longest report, of the 1 MiB that a control plane reads, and the most that is kept, in bytes. */
const REPORT_BYTES = 768 * 1024;
const KEPT_BYTES = 4 * 1024 * 1024;

/** How long what was counted is of use, in milliseconds: a day. */
const KEPT_MS = 86_400_000;

/** How long an answer may take, and the last one of all, in milliseconds. */
const PATIENCE = 5_000;
const LAST = 1_000;

/** How long to wait at most before a control plane is asked again that took nothing, in milliseconds. */
const REST_MAX = 60_000;

/**
 * A request whose client has left was an error of the pool if it had waited so long for an answer, in milliseconds;
 * before, the client may have had any reason, and nobody knows what would have become of it.
 */
const GIVEN_UP = 500;

/** It will never take the report. */
const REFUSES = [400, 413, 422];

// Of this isolate or process alone: how long ago something was, whatever becomes of the time of day.
const clock = () => performance.now();

export class Telemetry {
  #url;
  #token;
  #interval;
  #log;
  #edge = crypto.randomUUID(); // who tells, another one after each start
  #counts = new Counts();
  #waiting = []; // batches, the oldest first
  #bytes = 0; // of all of them
  #seq = 0;
  #rest;
  #next; // when the next report may begin
  #busyUntil = 0; // one is under way, or its request was cancelled and it will never come back
  #sending; // the one that is under way
  #said = ""; // what was last said of a failure

  constructor({ telemetryUrl, telemetryMs, tableToken }, log) {
    this.#url = telemetryUrl;
    this.#token = tableToken;
    this.#rest = this.#interval = telemetryMs;
    this.#log = log;
    this.#wait();
  }

  /**
   * Begins to take the time of a request; what it answers counts it, when its answer has begun or none will come, and
   * whether it has failed: null where its client has left.
   */
  begin(of, placement) {
    const begun = clock();
    return (failed) => {
      const now = clock();
      this.#counts.count(of, placement, failed ?? (now - begun >= GIVEN_UP || null), begun, now);
      if (this.#counts.full) this.#cut();
    };
  }

  /**
   * Sends what is new in the background when it is time: at most one report at once, and no request ever waits for
   * it. What one request began, another may not await in Workers: only flags are shared.
   */
  tell(background) {
    const now = clock();
    if (now < this.#next || now < this.#busyUntil) return;
    this.#cut();
    if (this.#waiting.length > 0) background((this.#sending = this.#send(PATIENCE)));
  }

  /** Sends what has been counted since, for a last time. */
  async finish() {
    await this.#sending;
    this.#cut();
    await this.#send(LAST);
  }

  #wait() {
    // A fleet that started at once shall not tell at once.
    this.#next = clock() + this.#rest * (0.8 + 0.4 * Math.random());
    this.#busyUntil = 0;
  }

  /** What has been counted becomes batches. */
  #cut() {
    for (const batch of this.#counts.take()) {
      this.#waiting.push({ seq: ++this.#seq, ...batch });
      this.#bytes += batch.json.length;
    }
    while (this.#waiting.length > BATCHES_MAX || this.#bytes > KEPT_BYTES) this.#dropOldest();
  }

  #dropOldest() {
    this.#bytes -= this.#waiting.shift().json.length;
  }

  /** Sends everything that waits. */
  async #send(patience) {
    let taken = true;
    for (let next; taken && (next = this.#report()); ) {
      this.#busyUntil = clock() + patience + LAST;
      const failed = await this.#post(next.body, patience).catch((why) => ({ why: said(why) }));
      taken = failed === null || failed.forGood;
      while (taken && this.#waiting[0]?.seq <= next.last) this.#dropOldest();
      if (failed !== null && failed.why !== this.#said) this.#log(`halcyon: EDGE_TELEMETRY: not taken: ${failed.why}`);
      this.#said = failed?.why ?? "";
    }
    // Never sooner than it would be anyway.
    this.#rest = taken ? this.#interval : Math.max(Math.min(2 * this.#rest, REST_MAX), this.#interval);
    this.#wait();
  }

  /** The next report, and the number of its last batch; null where nothing waits. */
  #report() {
    const now = clock();
    while (this.#waiting.length > 0 && now - this.#waiting[0].until > KEPT_MS) this.#dropOldest();
    const batches = [];
    let [bytes, last] = [0, 0];
    for (const { seq, until, json } of this.#waiting) {
      bytes += json.length + 100;
      if (batches.length > 0 && bytes > REPORT_BYTES) break;
      batches.push(`{"seq":${seq},"age_ms":${Math.max(0, Math.round(now - until))},${json}}`);
      last = seq;
    }
    return batches.length === 0 ? null : { body: `{"edge":"${this.#edge}","batches":[${batches}]}`, last };
  }

  /** Null where it is taken, or why it is not, and whether that is for good. */
  async #post(body, patience) {
    const headers = { "content-type": "application/json" };
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    const aborted = new AbortController();
    const timer = setTimeout(() => aborted.abort(new Error(`no answer within ${patience} ms`)), patience);
    try {
      // Not followed: the variable says where it goes, and where the token goes.
      const answer = await fetch(this.#url, { method: "POST", headers, body, redirect: "manual", signal: aborted.signal });
      await answer.body?.cancel();
      return answer.ok ? null : { why: `HTTP ${answer.status}`, forGood: REFUSES.includes(answer.status) };
    } finally {
      clearTimeout(timer);
    }
  }
}
