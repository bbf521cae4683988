// Errors as programs read them (RFC 9457), in ASCII so that a terminal shows them and executes nothing.

const TITLES = {
  400: "Bad Request",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** A problem document. `problems` are all there are, a line each; `code` is a word for programs. */
export function problem(status, code, problems, headers = {}) {
  const lines = [problems].flat();
  const body = { type: "about:blank", title: TITLES[status], status, code, detail: lines.join("; ") };
  if (lines.length > 1) body.problems = lines;
  return new Response(ascii(JSON.stringify(body)), {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** Everything but printable ASCII as `\uXXXX`: JSON stays the JSON it is, and a log line one line. */
export function ascii(text) {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value somebody wrote, for a message: in quotes, escaped, at most 64 characters. */
export function seen(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  const short = text.length > 64 ? `${text.slice(0, 64)}...` : text;
  return ascii(JSON.stringify(short));
}
