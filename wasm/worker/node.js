// The edge in Node, for tests and for whoever hosts it: `PORT=8787 TABLE_URL=… node node.js`.

import { createServer, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

import { edge, SAFE } from "./handler.js";
import { hasBody, isHost } from "./headers.js";
import { problem } from "./problem.js";

// How long a client may go on sending what nobody reads, in milliseconds.
const LINGER = 30_000;

// A Response must not have a body then.
const BODILESS = [101, 103, 204, 205, 304];

/** A server that has yet to listen, over variables. */
export function serve(env) {
  let handle;
  // An upload may take as long as it moves: the handler ends one that does not. A head may not.
  const server = createServer({ headersTimeout: 60_000, requestTimeout: 0 }, async (incoming, outgoing) => {
    // A client that goes away takes its request along.
    const gone = new AbortController();
    let request = null;
    outgoing.on("close", () => outgoing.writableFinished || gone.abort());
    const answerWith = (answer) => {
      // A connection that goes on would keep a server that ends alive. One with a body to come closes itself later.
      if (!server.listening && incoming.complete) outgoing.shouldKeepAlive = false;
      return write(answer, request, incoming, outgoing);
    };
    try {
      const coded = isCoded(incoming);
      request = coded ? null : requestOf(incoming, gone.signal);
      handle ??= edge(env, { send, client: (request) => peers.get(request) });
      const wrong = coded ? "a transfer coding; allowed: chunked alone, in HTTP/1.1" : "no valid Host, path or method";
      const answer = request ? await handle(request, () => {}) : problem(400, "bad_request", wrong);
      await answerWith(answer);
    } catch (why) {
      if (!gone.signal.aborted) console.error("halcyon:", why?.message);
      if (outgoing.headersSent) outgoing.destroy();
      else await answerWith(problem(500, "internal", "the edge failed")).catch(() => outgoing.destroy());
    }
  });
  return server.on("close", () => handle?.finish?.());
}

// The addresses of clients, by request.
const peers = new WeakMap();

/** Whether its body is in a form that would go on without its name. */
function isCoded({ headers, httpVersion }) {
  const coding = headers["transfer-encoding"];
  return coding !== undefined && (coding.toLowerCase() !== "chunked" || httpVersion !== "1.1");
}

/** What came in as a Request; null where it can be none. */
function requestOf(incoming, signal) {
  const { host } = incoming.headers;
  const url = `http://${host}${incoming.url}`;
  if (!isHost(host) || !incoming.url.startsWith("/") || !URL.canParse(url)) return null;
  if (["TRACE", "TRACK"].includes(incoming.method)) return null; // the class refuses them
  const headers = new Headers();
  const { rawHeaders } = incoming;
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at], rawHeaders[at + 1]);
  // The class takes no body for these; the handler sees by the headers that there is one.
  const bodiless = ["GET", "HEAD"].includes(incoming.method) || !hasBody({ headers });
  const body = bodiless ? undefined : Readable.toWeb(incoming);
  const request = new Request(url, { method: incoming.method, headers, body, duplex: "half", signal });
  peers.set(request, incoming.socket.remoteAddress);
  return request;
}

// Not with `fetch`: it would decode bodies and add headers of its own.
async function send(request, url, headers, watch) {
  const answer = await asked(request, url, headers, watch);
  const coding = answer.headers["transfer-encoding"] ?? "chunked";
  if (coding.toLowerCase() !== "chunked") {
    // Without its name, which ends here, nobody could read what comes.
    answer.destroy();
    throw new Error("its answer has a transfer coding that nobody asked for");
  }
  const back = new Headers();
  for (let at = 0; at < answer.rawHeaders.length; at += 2) back.append(answer.rawHeaders[at], answer.rawHeaders[at + 1]);
  const empty = BODILESS.includes(answer.statusCode) || request.method === "HEAD";
  if (empty) answer.resume();
  // What is not passed on has no length: it would be looked for in the next answer.
  if (answer.statusCode === 204) back.delete("content-length");
  if (answer.statusCode === 205) back.set("content-length", "0");
  try {
    return new Response(empty ? null : Readable.toWeb(answer), {
      status: answer.statusCode,
      statusText: answer.statusMessage,
      headers: back,
    });
  } catch (why) {
    // A status that is none: nobody will read the rest.
    answer.destroy();
    throw why;
  }
}

/** The answer to a request over any connection that is kept, or a new one. */
async function asked(request, url, headers, watch) {
  for (;;) {
    let sent;
    try {
      sent = over(request, url, headers, watch);
      return await answerTo(sent, request, watch);
    } catch (why) {
      // The upstream has closed a connection that was kept, as servers do after a while: that says nothing about it.
      const closed = sent?.reusedSocket && ["ECONNRESET", "EPIPE"].includes(why.code);
      if (!closed || request.body || !SAFE.includes(request.method)) throw why;
    }
  }
}

function over(request, url, headers, watch) {
  const send = url.startsWith("https:") ? overHttps : overHttp;
  const framed = listed(headers);
  // Node frames a body by its method, that of DELETE and OPTIONS not at all: it would be the next request.
  if (request.body && !headers.has("content-length")) framed["transfer-encoding"] = "chunked";
  return send(url, { method: request.method, headers: framed, signal: watch.signal });
}

async function answerTo(sent, request, watch) {
  const answered = new Promise((resolve, reject) => {
    sent.on("response", resolve).on("error", reject);
    sent.on("upgrade", (_, socket) => {
      socket.destroy();
      reject(new Error("it switches to a protocol that nobody asked for"));
    });
  });
  if (request.body) {
    // An upstream may answer by the head alone.
    sent.flushHeaders();
    const moving = async function* (parts) {
      watch.waits();
      for await (const part of parts) {
        watch.moved();
        yield part;
        watch.waits();
      }
      watch.moved();
    };
    // An upstream may answer before it has read everything, and then close: its answer counts.
    pipeline(Readable.fromWeb(request.body), moving, sent).catch((why) => sent.destroy(why));
  } else {
    sent.end();
  }
  return answered;
}

async function write(answer, request, incoming, outgoing) {
  outgoing.writeHead(answer.status, answer.statusText || undefined, listed(answer.headers));
  if (answer.body === null) outgoing.end();
  else await pipeline(Readable.fromWeb(answer.body), outgoing);
  if (incoming.complete) return;
  // What nobody has read is read and dropped, for a while: by the stream of the request, where it has one.
  if (request?.body && !request.body.locked) drop(request.body);
  else incoming.resume();
  const late = setTimeout(() => incoming.destroy(), LINGER).unref();
  incoming.on("close", () => clearTimeout(late));
}

async function drop(body) {
  try {
    for await (const part of body) void part;
  } catch {
    // The client has left.
  }
}

/** Headers as Node takes them: `set-cookie` may come more than once. */
function listed(headers) {
  const lists = {};
  for (const [name, value] of headers) {
    if (name === "set-cookie") (lists[name] ??= []).push(value);
    else lists[name] = value;
  }
  return lists;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = serve(process.env);
  // An empty variable counts as unset.
  server.listen(Number(process.env.PORT || 8787), process.env.BIND || "127.0.0.1", () => {
    const { address, port } = server.address();
    console.log(`edge on http://${address.includes(":") ? `[${address}]` : address}:${port}`);
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.close());
}
