// Node and Deno: the module is a file.

import { readFileSync } from "node:fs";
import { imports, use } from "./edge.js";

const module = new WebAssembly.Module(readFileSync(new URL("halcyon_bg.wasm", import.meta.url)));
// to encode takes a fixed time here, and as long as 20 characters one by one
use(new WebAssembly.Instance(module, imports), 20);

/** There is nothing to wait for here. */
export default async function init() {}
export * from "./names.js";
