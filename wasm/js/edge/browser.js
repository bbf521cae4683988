// A browser: the module is fetched, from beside this file or from where the caller says.

import { imports, use } from "./edge.js";

let ready;

/** Fetches the module, once. Everything else of this package comes after it. */
export default function init(url = new URL("halcyon_bg.wasm", import.meta.url)) {
  ready ??= load(url).catch((why) => {
    // the next call tries again
    ready = undefined;
    throw why;
  });
  return ready;
}

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.url}: HTTP ${answer.status}`);
  // whatever media type the server says it has
  const bytes = await answer.arrayBuffer();
  use((await WebAssembly.instantiate(bytes, imports)).instance);
}

export * from "./names.js";
