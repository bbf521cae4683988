// A request comes in, the core says where it goes, and it goes there. The same in every runtime.

import { back, hasBody, isHost, leadsElsewhere, onward, stamp } from "./headers.js";
import { problem, seen } from "./problem.js";
import { read } from "./settings.js";
import { said, Tables } from "./table.js";
import { Telemetry } from "./telemetry.js";

// Whoever repeats them changes nothing (RFC 9110, section 9.2.1).
export const SAFE = ["GET", "HEAD", "OPTIONS"];

// What an upstream answers that is not there, or whose own upstream is not.
const GONE = [502, 503, 504];

// How long a client may send nothing of a body that it has begun, in milliseconds.
const CLIENT_MS = 30_000;

/**
 * An edge over variables. Make it in the first request: before, Workers have no clock and no dice.
 *
 * `send(request, url, headers, watch)` sends a request on as it is and answers the Response to it, without
 * following redirects; `watch.signal` ends it, `watch.moved()` is called as its body goes, and `watch.waits()`, where
 * that is known, when the client is waited for. `client(request)` is the client's address, if the runtime knows it. `log(line)` is told of tables that are not taken.
 *
 * The answer is `handle(request, background)`; `background(promise)` keeps the runtime awake. `handle.finish()` tells
 * what has been counted and not been told, before a process ends.
 */
export function edge(env, { send, client = () => null, log = console.warn }) {
  const { settings, problems } = read(env);
  const tables = problems.length === 0 ? open(settings, problems, log) : null;
  if (tables === null) {
    log(`halcyon: ${problems.join("; ")}`);
    return async () => problem(500, "bad_config", problems);
  }
  const telemetry = settings.telemetryUrl === undefined ? null : new Telemetry(settings, log);
  handle.finish = async () => telemetry?.finish();
  return handle;

  async function handle(request, background) {
    tables.refresh(background);
    const answer = await answered(request);
    telemetry?.tell(background);
    return answer;
  }

  async function answered(request) {
    // Some runtimes make the URL out of whatever the Host is.
    if (!isHost(request.headers.get("host") ?? "-") || !URL.canParse(request.url)) {
      return problem(400, "bad_request", "no valid Host; allowed: host[:port]");
    }
    // It would show the client what the edge says to upstreams.
    if (request.method === "TRACE") return problem(400, "bad_request", "TRACE; allowed: any other method");
    const url = new URL(request.url);
    const tenant = settings.tenantFrom(request, url);
    if (tenant === null) return problem(400, "no_tenant", `the request names no tenant; allowed: ${settings.tenantIn}`);
    if (tenant === undefined) return problem(400, "bad_tenant", "the request names a tenant that is no id");
    if (!tables.held) return problem(503, "no_table", "no routing table yet", { "retry-after": "1" });
    // Not every runtime can send one, and none may drop it silently.
    if (/^(GET|HEAD)$/.test(request.method) && hasBody(request)) {
      return problem(400, "bad_request", `a ${request.method} with a body; allowed: without`);
    }
    const headers = onward(request, url, client(request));
    headers.set("x-halcyon-tenant", encodeURIComponent(tenant));
    return forward({ request, url, headers, tenant });
  }

  async function forward(asked) {
    let placement;
    try {
      placement = tables.route(asked.tenant);
    } catch (why) {
      return refused(why);
    }
    const first = await attempt(asked, placement);
    const { request, tenant } = asked;
    const again = first.gone && SAFE.includes(request.method) && !hasBody(request) && !request.signal?.aborted;
    if (!again) return answer(first);
    let next;
    try {
      next = tables.routeWithout(placement.region, tenant);
    } catch (why) {
      // A table came in between, and nobody may serve this tenant any more.
      return refused(why);
    }
    // No other region may have it: that is the last word.
    if (next.region === placement.region) return answer(first);
    const second = await attempt(asked, next);
    // What a region that is there has said, better than that the other one is not.
    if (!second.response && first.response) return answer(first);
    await first.response?.body?.cancel();
    return answer(second);
  }

  /** One region: its response, or what is wrong, and whether another one may be asked. */
  async function attempt({ request, url, headers, tenant }, placement) {
    const { region, slot } = placement;
    const address = tables.address(placement);
    const known = address !== undefined && URL.canParse(address);
    if (known && new URL(address).pathname !== "/" && leadsElsewhere(url.pathname)) {
      // Another pool may be beside it.
      const why = "the path has segments that lead out of the one of its region's address; allowed: without . and ..";
      return { placement, gone: false, status: 400, code: "bad_request", why };
    }
    // Now, by the table that has placed it: the next one may be of another release.
    const count = telemetry?.begin(tables.counted(tenant), placement);
    if (!known) {
      count?.(true);
      const why = `region ${region} has no address for ${slot} in the table`;
      return { placement, gone: true, status: 503, code: "no_upstream", why };
    }
    headers = new Headers(headers);
    stamp(headers, placement);
    const watch = new Watch(settings.upstreamTimeoutMs, request.signal);
    try {
      const response = await send(request, join(address, url), headers, watch);
      count?.(response.status >= 500);
      return { placement, gone: GONE.includes(response.status), response };
    } catch (why) {
      const left = request.signal?.aborted;
      if (watch.stalled) {
        const why = `the client sent nothing of its body for ${CLIENT_MS} ms`;
        return { placement, gone: false, status: 408, code: "request_timeout", why };
      }
      const late = watch.late;
      // A client that breaks off its upload says nothing of the upstream.
      if (late || !left || !watch.uploads) count?.(late || !left ? true : null);
      const code = late ? "upstream_timeout" : "upstream_unreachable";
      const how = late ? `did not answer within ${settings.upstreamTimeoutMs} ms` : "cannot be reached";
      if (!late && !left) log(`halcyon: ${region} ${slot}: ${said(why)}`);
      return { placement, gone: true, status: 502, code, why: `region ${region}, ${slot}: ${how}` };
    } finally {
      watch.end();
    }
  }
}

function open(settings, problems, log) {
  try {
    return new Tables(settings, log);
  } catch (why) {
    if (why.code === "bad_config") {
      problems.push(...why.problems);
      return open({ ...settings, deployment: undefined }, problems, log);
    }
    const found = why.problems ?? [`${seen(settings.table)} is no JSON`];
    problems.push(...found.map((line) => `TABLE: ${line}; allowed: what halcyon table prints`));
    return null;
  }
}

/** Ends an attempt that takes too long until its answer begins; an upload may take as long as it moves. */
class Watch {
  #aborted = new AbortController();
  #ms;
  #timer;
  late = false;
  /** The client has sent nothing for too long. */
  stalled = false;
  /** The client is waited for. */
  uploads = false;

  constructor(ms, client) {
    this.#ms = ms;
    this.signal = client ? AbortSignal.any([this.#aborted.signal, client]) : this.#aborted.signal;
    this.moved();
  }

  moved() {
    this.uploads = false;
    this.#begin(this.#ms, () => (this.late = true));
  }

  waits() {
    this.uploads = true;
    this.#begin(CLIENT_MS, () => (this.stalled = true));
  }

  #begin(ms, note) {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      note();
      this.#aborted.abort();
    }, ms);
  }

  end() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function answer({ placement, response, status, code, why }) {
  const given = response ?? problem(status, code, why);
  const headers = back(given);
  stamp(headers, placement);
  // A WebSocket in Workers.
  const { webSocket } = given;
  const shape = { status: given.status, statusText: given.statusText || undefined, headers };
  return new Response(given.body, webSocket ? { ...shape, webSocket } : shape);
}

function refused(why) {
  if (why.code === "residency_unavailable") return problem(503, why.code, why.problems);
  if (why.code === "bad_tenant") return problem(400, why.code, why.problems);
  throw why;
}

/** The upstream's address with the request's path below its own, and both queries. */
function join(address, url) {
  const base = new URL(address);
  const query = [base.search.slice(1), url.search.slice(1)].filter((part) => part !== "");
  // As text: a path such as //other must not be taken for a host.
  const search = query.length > 0 ? `?${query.join("&")}` : "";
  return base.origin + base.pathname.replace(/\/$/, "") + url.pathname + search;
}
