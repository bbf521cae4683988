// CPU time of a workerd process, ns for an id: its own clock stands while it works, so whoever asks measures.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

const TIMES = 8;
const IDS = 16_000;

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

function config(port) {
  const folder = "node_modules/@halcyon/edge";
  const entry = JSON.parse(readFileSync(`${folder}/package.json`)).exports["."].workerd;
  const files = readdirSync(folder).map((name) => `${folder}/${name}`);
  writeFileSync("entry.mjs", `export * from "../${folder}/${entry.slice(2)}";\n`);
  const modules = [
    ["worker.mjs", "worker.mjs"],
    ["work.mjs", "work.mjs"],
    ["siphash.mjs", "siphash.mjs"],
    ["@halcyon/edge", "entry.mjs"],
    ...files.filter((name) => name.endsWith(".js")).map((name) => [name, name]),
  ].map(([name, file]) => `(name = "${name}", esModule = embed "${file}")`);
  const wasm = files.filter((name) => name.endsWith(".wasm"));
  modules.push(...wasm.map((name) => `(name = "${name}", wasm = embed "${name}")`));
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const worker :Workerd.Worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-01-01");
`;
}

/** Nanoseconds of CPU time that a process has had. */
function spent(pid) {
  const of = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + of(thread), 0);
}

/** The medians, by what was done. */
export async function workerd() {
  const port = await freePort();
  writeFileSync("config.capnp", config(port));
  const child = spawn("node_modules/workerd/bin/workerd", ["serve", "config.capnp"], { stdio: ["ignore", "inherit", "inherit"] });
  try {
    const ask = async (name, times) => (await fetch(`http://127.0.0.1:${port}/${name}/${times}`)).text();
    for (let tries = 0; ; tries++) {
      try {
        await ask("edge", 1);
        break;
      } catch (why) {
        if (tries > 200) throw why;
        await new Promise((go) => setTimeout(go, 50));
      }
    }
    const names = ["edge", "batch", "javascript"];
    const rounds = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < 41; round++) {
      for (const name of names) {
        const before = spent(child.pid);
        await ask(name, TIMES);
        if (round > 4) rounds[name].push((spent(child.pid) - before) / (TIMES * IDS));
      }
    }
    return Object.fromEntries(names.map((name) => [name, rounds[name].sort((a, b) => a - b)[rounds[name].length >> 1]]));
  } finally {
    child.kill();
  }
}
