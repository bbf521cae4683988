// What is known of the control plane, as it changes. Everything the page shows is read from here.

import { computed, signal } from "/vendor/signals.mjs";
import { events, get } from "/api.js";

/** The snapshot; null before the first one. */
export const snapshot = signal(null);
/** Records of the audit log and events of regions, the newest first. */
export const happened = signal([]);
/** Why what was before the stream could not be had. */
export const unread = signal(null);
/** Whether the stream is open, and when something was last heard. */
export const link = signal({ open: false, heard: null, why: null });
/** The time, each second. */
export const now = signal(Date.now());

/** More than these are not kept: an hour of them leaves the page as it was. */
const KEPT = 500;
/** The server says something every 15 s. */
const SILENCE = 22_000;

setInterval(() => {
  now.value = Date.now();
}, 1_000);

/** Since when nothing has been heard, once that is too long; null while all is well. */
export const stale = computed(() => {
  const { open, heard } = link.value;
  if (heard === null) return null;
  const silent = now.value - heard;
  return silent > SILENCE || (!open && silent > 5_000) ? silent : null;
});

const heard = (more) => {
  link.value = { ...link.value, heard: Date.now(), ...more };
};

const number = ({ record, number: place }) => record.seq ?? place;

/** The newest first. Of what happened in the same millisecond each kind has its own order. */
function newer(a, b) {
  const [one, other] = [a.record.timestamp, b.record.timestamp];
  if (one !== other) return one < other ? 1 : -1;
  return a.kind === b.kind ? number(b) - number(a) : 0;
}

const seqOf = (entry) => `${entry.kind}${number(entry)}`;

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

async function catchUp(records, regions) {
  try {
    await Promise.all([past(records), pastOfRegions(regions)]);
    unread.value = null;
  } catch (why) {
    unread.value = why.message;
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Follows the stream for ever. */
export async function follow() {
  let last = null;
  let rest = 500;
  for (;;) {
    const silent = new AbortController();
    let watch;
    const patience = () => {
      clearTimeout(watch);
      watch = setTimeout(() => silent.abort(), SILENCE);
    };
    try {
      patience();
      for await (const { event, id, data } of events("/api/v1/stream", last, silent.signal)) {
        patience();
        heard({ open: true, why: null });
        rest = 500;
        const first = last === null;
        last = id ?? last;
        if (event === "state") snapshot.value = JSON.parse(data);
        if (event === "audit") add([ofRecord(JSON.parse(data))]);
        if (event === "region") add([ofRegion(JSON.parse(data), Number(id.split(".")[1]))]);
        if (id !== null && (first || event === "reset")) {
          const [records, regions] = id.split(".").map(Number);
          catchUp(records, regions);
        }
      }
      throw new Error("the server has ended the stream");
    } catch (why) {
      link.value = { ...link.value, open: false, why };
    } finally {
      clearTimeout(watch);
    }
    await pause(rest);
    rest = Math.min(rest * 2, 5_000);
  }
}
