// The edge in Cloudflare Workers.

import { edge } from "./handler.js";

// One for all requests of an isolate.
let handle;

export default {
  fetch(request, env, context) {
    handle ??= edge(env, { send, client });
    return handle(request, (promise) => context.waitUntil(promise));
  },
};

function send(request, url, headers, watch) {
  let { body } = request;
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

// Cloudflare sets the header, and `cf` with it; without `cf` it is the client's own word.
function client(request) {
  return request.cf ? request.headers.get("cf-connecting-ip") : null;
}
