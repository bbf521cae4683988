// Requests, errors and latencies, told apart by release, region, slot and cohort: by no tenant.

/** How many buckets of latencies there are. */
const BUCKETS = 496;

/** The most cells of one batch that a control plane takes, and how long its JSON may become, about. */
const CELLS_MAX = 1_000;
const BYTES_MAX = 512 * 1024;

/** The longest time that one batch spans, in milliseconds. */
const LASTED_MAX_MS = 600_000;

/**
 * The bucket of a latency in microseconds. Up to 16 each number has its own; above, each power of two is cut in
 * sixteen. Those of every edge are the same: the core's `telemetry::Histogram` has them.
 */
export function bucketOf(micros) {
  let [rest, halved] = [Math.min(Math.max(Math.floor(micros), 0), 2 ** 34 - 1), 0];
  for (; rest >= 32; halved++) rest = Math.floor(rest / 2);
  return rest < 16 ? rest : Math.min(16 * halved + rest, BUCKETS - 1);
}

/** What has been counted since it was last taken. */
export class Counts {
  #spans = new Map(); // by release, as JSON: since when, until when, and its cells
  #cells = 0;
  #bytes = 0;

  /** Whether more would be too much for one batch. */
  get full() {
    return this.#cells >= CELLS_MAX || this.#bytes >= BYTES_MAX;
  }

  /** Counts one request that began and ended at these milliseconds; `failed` is null where its client left too soon to know. */
  count({ release, cohort }, { region, slot }, failed, begun, now) {
    let span = this.#spans.get(release);
    if (span === undefined) this.#spans.set(release, (span = { since: now, until: now, cells: new Map() }));
    span.until = now;
    const name = `${region} ${slot} ${cohort}`;
    let cell = span.cells.get(name);
    if (cell === undefined) {
      span.cells.set(name, (cell = { region, slot, cohort: cohort ?? undefined, requests: 0, errors: 0, left: 0, latency: new Map() }));
      this.#cells++;
      this.#bytes += 160 + region.length;
    }
    if (failed === null) {
      cell.left++;
      return;
    }
    cell.requests++;
    cell.errors += Number(failed);
    const bucket = bucketOf((now - begun) * 1_000);
    const times = cell.latency.get(bucket) ?? 0;
    if (times === 0) this.#bytes += 12;
    cell.latency.set(bucket, times + 1);
  }

  /** Takes it: a batch for each release, as far as it does not change any more, as JSON that is ASCII. */
  take() {
    const batches = Array.from(this.#spans, ([release, { since, until, cells }]) => {
      const lasted = Math.min(Math.round(until - since), LASTED_MAX_MS);
      const list = Array.from(cells.values(), (cell) => ({ ...cell, left: cell.left || undefined, latency: [...cell.latency] }));
      const of = release === "" ? "" : `"release":${release},`;
      return { until, json: `"lasted_ms":${lasted},${of}"cells":${JSON.stringify(list)}` };
    });
    this.#spans = new Map();
    this.#cells = this.#bytes = 0;
    return batches;
  }
}
