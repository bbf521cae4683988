// The edge in Cloudflare Workers.

import { edge } from "./handler.js";
import { hasBody } from "./headers.js";

// One for all requests of an isolate.
let handle;

export default {
  fetch(request, env, context) {
    handle ??= edge(env, { send, client });
    return handle(request, (promise) => context.waitUntil(promise));
  },
};

function send(request, url, headers, watch) {
  let body = hasBody(request) ? request.body : null;
  const length = headers.get("content-length");
  headers.delete("content-length"); // the stream has it
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") headers.set("upgrade", "websocket");
  if (body !== null) {
    body = body.pipeThrough(
      new TransformStream({
        transform(part, out) {
          watch.moved();
          out.enqueue(part);
        },
      }),
    );
    if (length !== null) body = body.pipeThrough(new FixedLengthStream(BigInt(length)));
  }
  return fetch(url, { method: request.method, headers, body, redirect: "manual", signal: watch.signal });
}

// Cloudflare sets the header; anywhere else it would be the client's own word, and workerd knows better.
function client({ cf, headers }) {
  if (cf?.colo) return headers.get("cf-connecting-ip");
  return cf?.clientIp?.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
