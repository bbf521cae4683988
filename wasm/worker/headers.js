// Which headers go on, in either direction.

// They are about one connection (RFC 9110, section 7.6.1), not about the message.
const OF_A_CONNECTION = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

// What a client could say about itself and this edge says instead. Many upstreams make "_" of "-", and then
// both are one.
const OF_THE_EDGE = /^(forwarded$|x[-_]forwarded[-_]|x[-_]real[-_]ip$)/;
const OURS = /^x[-_]halcyon[-_]/;

/** The headers of a request as they go on. */
export function onward(request, url, client) {
  const headers = cleaned(request.headers);
  for (const name of [...headers.keys()]) if (OF_THE_EDGE.test(name)) headers.delete(name);
  headers.delete("host"); // the upstream's own, by its address
  headers.delete("expect"); // answered already
  headers.set("x-forwarded-host", url.host);
  headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
  if (client) headers.set("x-forwarded-for", client);
  return headers;
}

/** The headers of an answer as they go back. */
export const back = (answer) => cleaned(answer.headers);

function cleaned(all) {
  const headers = new Headers(all);
  const named = (all.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const goes = (name) => OF_A_CONNECTION.includes(name) || (named.includes(name) && name !== "content-length");
  for (const name of [...all.keys()]) {
    if (OURS.test(name) || goes(name)) headers.delete(name);
  }
  return headers;
}

/** Where a request was put, for whoever sees it next. */
export function stamp(headers, placement) {
  headers.set("x-halcyon-region", placement.region);
  headers.set("x-halcyon-slot", placement.slot);
  headers.set("x-halcyon-reason", placement.reason);
}

/** Whether a request has a body: in Workers one of no length has a stream, too. */
export function hasBody({ body, headers }) {
  const length = headers.get("content-length");
  if (length !== null) return Number(length) > 0;
  return Boolean(body) || headers.has("transfer-encoding");
}

/**
 * Whether some server could take a path for the way to another one: by segments `.` and `..`, also behind a separator
 * that is percent-encoded or a backslash, and with a parameter behind them.
 */
export function leadsElsewhere(path) {
  return /(^|[/\\]|%2f|%5c)(\.|%2e){1,2}(?=$|[/\\;]|%2f|%5c)/i.test(path);
}

/** Whether a Host says nothing but a host, and maybe a port. */
export function isHost(host) {
  return Boolean(host) && !/[/\\?#@,]/.test(host);
}
