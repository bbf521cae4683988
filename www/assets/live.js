// What is known of the control plane, as it changes. Everything the page shows is read from here.

import { computed, effect, signal } from "/vendor/signals.mjs";
import { events, get, skew, token } from "/api.js";

/** The snapshot; null before the first one. */
export const snapshot = signal(null);
/** Records of the audit log and events of regions, the newest first. */
export const happened = signal([]);
/** Why what was before the stream could not be had. */
export const unread = signal(null);
/** Whether the stream is open, when something was last heard by either clock, and why nothing is. */
export const link = signal({ open: false, heard: null, why: null });
/** Whether it is open: what depends on that alone does not begin anew with every event. */
export const open = computed(() => link.value.open);
/** Why the server cannot say how things are, while it cannot. */
export const trouble = signal(null);
/** The version of the server that this page is of, and that of the server there is now, where it is another one. */
export const version = { own: null, other: signal(null) };
/** The time by the server's clock, each second. */
export const now = signal(Date.now());
/** The time by a clock that nobody sets. */
const ticks = signal(performance.now());

/** More than these are not kept: an hour of them leaves the page as it was. */
const KEPT = 500;
/** The server says something every 15 s. */
const SILENCE = 22_000;
/** A page that nobody looks at gives its connection back after so long: a browser has six for each server. */
const HIDDEN = 10_000;

setInterval(() => {
  now.value = Date.now() + skew.value;
  ticks.value = performance.now();
}, 1_000);

/** Since when nothing has been heard, once that is too long; null while all is well. */
export const stale = computed(() => {
  const { open: isOpen, heard } = link.value;
  if (heard === null) return null;
  // One of them stands still while a machine sleeps, and the other can be set back.
  const silent = Math.max(ticks.value - heard.ticks, now.value - skew.peek() - heard.at);
  return silent > SILENCE || (!isOpen && silent > 5_000) ? silent : null;
});

/** Whether what is shown may not be so. */
export const doubtful = computed(() => stale.value !== null || trouble.value !== null);

const heard = (more) => {
  link.value = { ...link.value, heard: { at: Date.now(), ticks: performance.now() }, ...more };
};

const number = ({ record, number: place }) => record.seq ?? place;

/** The newest first. Of what happened in the same millisecond each kind has its own order. */
function newer(a, b) {
  const [one, other] = [a.record.timestamp, b.record.timestamp];
  if (one !== other) return one < other ? 1 : -1;
  return a.kind === b.kind ? number(b) - number(a) : 0;
}

/** Records by their hash: another journal has the same numbers. Events have nothing of their own. */
const seqOf = ({ kind, record }) =>
  kind === "release" ? record.hash : `${record.timestamp} ${record.event} ${record.region} ${record.to}`;

function add(entries) {
  const known = new Set(happened.value.map(seqOf));
  const fresh = entries.filter((entry) => !known.has(seqOf(entry)));
  if (fresh.length === 0) return;
  const all = [...fresh, ...happened.value];
  all.sort(newer);
  happened.value = all.slice(0, KEPT);
}

const ofRecord = (record) => ({ kind: "release", record });
const ofRegion = (record, number) => ({ kind: "region", record, number });

/** The records before the stream began. */
async function past(head) {
  const from = Math.max(0, head - 200);
  const { records } = await get(`/api/v1/audit?after=${from}`);
  add(records.map(ofRecord));
}

async function pastOfRegions(count) {
  const from = Math.max(0, count - 200);
  const { events: found } = await get(`/api/v1/region-events?after=${from}`);
  add(found.map((event, place) => ofRegion(event, from + place + 1)));
}

async function catchUp(records, count) {
  try {
    await Promise.all([past(records), pastOfRegions(count)]);
    unread.value = null;
  } catch (why) {
    unread.value = why.message;
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Waits until somebody looks. */
const seen = () =>
  new Promise((done) => {
    if (!document.hidden) done();
    else document.addEventListener("visibilitychange", () => done(), { once: true });
  });

let current = new AbortController();
/** The last event that was heard: from there the stream goes on. */
let last = null;

/** What was heard is for whoever asked with the token of then. */
let asked = token.peek();
effect(() => {
  if (token.value === asked) return;
  asked = token.value;
  snapshot.value = null;
  happened.value = [];
  trouble.value = null;
  last = null;
  link.value = { open: false, heard: null, why: null };
  current.abort(new Error("another token"));
});

let leaving;
document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(() => current.abort(new Error("nobody looks")), HIDDEN);
});

/** How many events of regions there are, as far as is known. */
let regions = 0;

/** Whether the record of this number is another one here: then what is here is of another journal. */
const isOther = (seq, hash) =>
  happened.value.some(({ kind, record }) => kind === "release" && record.seq === seq && record.hash !== hash);

/** Forgets what is of a journal that is not the server's any more, as after a backup was put back. */
function anew(seq, hash) {
  if (!isOther(seq, hash)) return;
  happened.value = [];
  catchUp(seq, regions);
}

function take({ event, id, data }) {
  if (event === "reset") happened.value = [];
  if (event === "trouble") trouble.value = JSON.parse(data).detail;
  if (event === "audit") {
    const record = JSON.parse(data);
    anew(record.seq - 1, record.prev_hash);
    add([ofRecord(record)]);
  }
  if (event === "region") {
    regions = Number(id.split(".")[1]);
    add([ofRegion(JSON.parse(data), regions)]);
  }
  if (event === "state") {
    snapshot.value = JSON.parse(data);
    version.own ??= snapshot.value.version;
    version.other.value = snapshot.value.version === version.own ? null : snapshot.value.version;
    const [seq, hash] = snapshot.value.release.audit_head.split(":");
    anew(Number(seq), hash);
    trouble.value = null;
  }
}

/** Follows the stream for ever. */
export async function follow() {
  let rest = 500;
  for (;;) {
    await seen();
    current = new AbortController();
    const { signal: ends } = current;
    const silence = () => current.abort(new Error("nothing was heard"));
    const secret = token.value;
    let watch = setTimeout(silence, SILENCE);
    try {
      for await (const heardOf of events("/api/v1/stream", last, ends)) {
        // What came in one piece with what was heard before.
        if (secret !== token.value) break;
        clearTimeout(watch);
        watch = setTimeout(silence, SILENCE);
        heard({ open: true, why: null });
        rest = 500;
        const first = last === null;
        last = heardOf.id ?? last;
        take(heardOf);
        if (heardOf.id !== null && (first || heardOf.event === "reset")) {
          const [records, count] = heardOf.id.split(".").map(Number);
          regions = count;
          catchUp(records, count);
        }
      }
      throw new Error("the server has ended the stream");
    } catch (why) {
      link.value = { ...link.value, open: false, why };
    } finally {
      clearTimeout(watch);
    }
    if (secret !== token.value) {
      link.value = { open: false, heard: null, why: null };
      continue;
    }
    await pause(rest);
    rest = Math.min(rest * 2, 5_000);
  }
}
