// Answers questions with halcyon_edge.wasm: for each line of stdin, a table and tenants in hex, a line
// with the packed answers.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]));
const { memory, halcyon_buf, halcyon_load, halcyon_route } = instance.exports;

function write(hex) {
  const bytes = Buffer.from(hex, "hex");
  const at = halcyon_buf(bytes.length);
  new Uint8Array(memory.buffer).set(bytes, at);
  return bytes.length;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { table, tenants } = JSON.parse(line);
  const code = halcyon_load(write(table));
  if (code !== 0) throw new Error(`table refused: ${code}`);
  const answers = tenants.map((tenant) => BigInt.asUintN(64, halcyon_route(write(tenant), 0n)));
  console.log(answers.join(" "));
}
