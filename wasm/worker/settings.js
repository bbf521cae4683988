// The variables. Everything that is wrong is found at once, and nothing wrong is replaced by a default.

import { leadsElsewhere } from "./headers.js";
import { seen } from "./problem.js";
import { readKeys } from "./signature.js";

const TENANT_FORMS = "allowed: header:NAME, host:.DOMAIN, path:N with N from 1 to 9";
const URL_FORMS = "allowed: http://host[:port][/path], https://host[:port][/path]";

/** What the variables say, and all that is wrong with them. */
export function read(env) {
  const problems = [];
  const tenantIn = text(env, "TENANT_FROM") ?? "header:x-tenant";
  const settings = {
    tenantIn,
    tenantFrom: tenantFrom(tenantIn, problems),
    tableUrl: address(env, "TABLE_URL", problems),
    tableToken: token(text(env, "TABLE_TOKEN"), problems),
    tableKeys: readKeys(text(env, "TABLE_KEYS"), problems),
    // The JSON of a table, or the table itself, as a variable of Workers may be.
    table: env.TABLE === "" ? undefined : env.TABLE ?? undefined,
    deployment: text(env, "HALCYON_DEPLOYMENT"),
    refreshMs: number(env, "TABLE_REFRESH_MS", 10_000, 100, 3_600_000, problems),
    tableTimeoutMs: number(env, "TABLE_TIMEOUT_MS", 5_000, 10, 25_000, problems),
    upstreamTimeoutMs: number(env, "UPSTREAM_TIMEOUT_MS", 10_000, 10, 600_000, problems),
    telemetryMs: number(env, "EDGE_TELEMETRY_MS", 10_000, 100, 60_000, problems),
  };
  settings.telemetryUrl = telemetryUrl(env, settings.tableUrl, problems);
  if (text(env, "TABLE_URL") === undefined && settings.table === undefined) {
    problems.push(`TABLE_URL: is not set, and TABLE neither; ${URL_FORMS}`);
  }
  return { settings, problems };
}

// A Worker's variables may be numbers, booleans and objects; an empty one counts as unset.
function text(env, name) {
  const value = env[name];
  if (value === undefined || value === null || value === "") return undefined;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function number(env, name, unset, least, most, problems) {
  const value = text(env, name);
  if (value === undefined) return unset;
  if (/^\d{1,9}$/.test(value) && value >= least && value <= most) return Number(value);
  problems.push(`${name}: ${seen(value)} is no number in range; allowed: ${least} to ${most}`);
  return unset;
}

/** Answers a function of request and URL: the tenant, null for none, undefined for one that is no id. */
function tenantFrom(value, problems) {
  const [, kind, what] = /^(header|host|path):(.*)$/s.exec(value) ?? [];
  if (kind === "header" && /^[a-z0-9_-]{1,64}$/i.test(what) && !/^x-halcyon-/i.test(what)) {
    return (request) => fromHeader(request.headers.get(what));
  }
  if (kind === "host" && /^(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+$/i.test(what) && what.length < 254) {
    return (request, url) => fromHost(hostOf(request, url), what.toLowerCase());
  }
  if (kind === "path" && /^[1-9]$/.test(what)) return (_, url) => fromPath(url.pathname, Number(what));
  const stripped = kind === "header" && /^x-halcyon-/i.test(what);
  const why = stripped ? "names a header that clients may not send" : "says nowhere";
  problems.push(`TENANT_FROM: ${seen(value)} ${why}; ${TENANT_FORMS}`);
}

// Runtimes read other bytes differently, and join a header that is sent twice with a comma: both would be
// another tenant here than elsewhere.
function fromHeader(value) {
  if (value === null || value === "") return null;
  return /^[!-+\--~]([ -+\--~]*[!-+\--~])?$/.test(value) ? value : undefined;
}

// As it came: a URL decodes what whoever comes behind may not.
function hostOf(request, url) {
  const host = request.headers.get("host") ?? url.host;
  return host.replace(/:\d*$/, "").toLowerCase();
}

function fromHost(name, domain) {
  const host = name.replace(/\.$/, "");
  if (!host.endsWith(domain)) return null;
  const label = host.slice(0, -domain.length);
  if (label === "" || label.includes(".")) return null;
  return /^[a-z0-9_-]+$/.test(label) ? label : undefined;
}

function fromPath(path, place) {
  if (leadsElsewhere(path)) return undefined;
  const segment = path.split("/", place + 1)[place];
  if (!segment) return null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function address(env, name, problems, or = "") {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    problems.push(`${name}: ${seen(value.replace(/\/\/.*@/s, "//***@"))} is no HTTP address; ${URL_FORMS}${or}`);
  } else if (url.username !== "" || url.password !== "") {
    problems.push(`${name}: ${seen(`${url.protocol}//***@${url.host}`)} carries credentials, which would end up in logs; allowed: TABLE_TOKEN${or}`);
  } else {
    return url.href;
  }
}

/** Without a word, the control plane that the table is from. */
function telemetryUrl(env, tableUrl, problems) {
  const value = text(env, "EDGE_TELEMETRY");
  if (value === undefined) return /\/api\/v1\/table$/.test(tableUrl) ? tableUrl.replace(/table$/, "telemetry") : undefined;
  return value.toLowerCase() === "off" ? undefined : address(env, "EDGE_TELEMETRY", problems, "; or off");
}

function token(value, problems) {
  if (value === undefined || /^[!-~]+$/.test(value)) return value;
  problems.push("TABLE_TOKEN: (not shown) is no bearer token; allowed: printable ASCII without blanks");
}
