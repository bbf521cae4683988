// Numbers, times and states as people read them.

// The one locale whose dates are those of ISO 8601.
const dateTime = (zone) =>
  new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "medium",
    timeZone: zone,
  });
// Made when a time is first shown: regions need none, and each takes longer than they do.
const once = (make) => {
  let made;
  return () => (made ??= make());
};
const local = once(() => dateTime(undefined));
const utc = once(() => dateTime("UTC"));

/** A moment, in UTC or in local time. */
export const moment = (text, inUtc) => {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  return (inUtc ? utc : local)().format(at) + (inUtc ? " UTC" : "");
};

/** How long ago something was: `4 min`. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d`;
}

/** How long until something is: `0:41`. */
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(s / 60) % 60;
  return s < 3600
    ? `${minutes}:${two(s % 60)}`
    : `${Math.floor(s / 3600)}:${two(minutes)}:${two(s % 60)}`;
}

/** A number with its thousands apart; the browser's own way takes a while to get ready, and small ones need none. */
export const whole = (number) => (number < 1_000 ? String(number) : number.toLocaleString("en"));

/** A share; small ones are not rounded to nothing. */
export function percent(part, of) {
  if (of === 0) return "0 %";
  const share = (100 * part) / of;
  const whole = share === 0 || share === 100 || (share >= 10 && share < 99.5);
  // What is nearly all is not all.
  if (share > 99.95 && share < 100) return "> 99.9 %";
  const digits = whole ? 0 : share >= 1 ? 1 : 2;
  const text = share.toFixed(digits);
  return part > 0 && Number(text) === 0 ? "< 0.01 %" : `${text} %`;
}

/** A latency of so many microseconds. */
export function latency(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1_000) return `${us} µs`;
  if (us < 99_950) return `${(us / 1_000).toFixed(1)} ms`;
  if (us < 9_999_500) return `${Math.round(us / 1_000)} ms`;
  return `${Math.round(us / 1_000_000)} s`;
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** What kind of state a region is in: never told by colour alone. */
export function kind(state) {
  if (state.startsWith("healthy")) return "good";
  if (state.startsWith("failing") || state.startsWith("recovering")) return "warn";
  if (state === "draining") return "drain";
  if (state === "down" || state === "forbidden") return "bad";
  return "unknown";
}

/** Each kind has a shape of its own. */
export const SHAPES = { good: "●", warn: "▲", drain: "◐", bad: "■", unknown: "◇" };
