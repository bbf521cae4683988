// Cloudflare Workers: the module is imported, compiled.

import module from "./halcyon_bg.wasm";
import { imports, use } from "./edge.js";

use(new WebAssembly.Instance(module, imports));

/** There is nothing to wait for here. */
export default async function init() {}
export * from "./names.js";
