// Runs a program compiled for WASI in Node: what `cargo test --target wasm32-wasip1` calls.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [program, ...args],
  env: process.env,
  // Regressions of property tests are kept beside the sources.
  preopens: { "/": "/", ".": "." },
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exit(wasi.start(instance));
