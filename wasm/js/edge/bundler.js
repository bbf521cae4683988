// Bundlers (webpack, Vite and others) copy the module, since its address is written as they know it.

import init from "./browser.js";

await init(new URL("halcyon_bg.wasm", import.meta.url));

export { default } from "./browser.js";
export * from "./names.js";
