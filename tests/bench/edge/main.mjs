// Measures in both runtimes and says what was reached.
import { execFileSync } from "node:child_process";
import { workerd } from "./workerd.mjs";

const figures = [];
const say = (what, atMost, value) => figures.push({ what, "at most": atMost, measured: value.toFixed(3), reached: value <= atMost });

const node = JSON.parse(execFileSync("node", ["--expose-gc", "node.mjs"], { encoding: "utf8" }));
const worker = await workerd();
console.log("ns of CPU time for an id of 36 bytes", { node, worker });
say("Node: a call / JavaScript", 0.35, node.edge / node.javascript);
say("Node: a call / hashring", 0.1, node.edge / node.hashring);
say("Node: of a thousand together / JavaScript", 0.25, node.batch / node.javascript);
say("Node: ms to compile and instantiate", 0.5, node.load_ms);
say("workerd: a call / JavaScript", 0.4, worker.edge / worker.javascript);
say("workerd: of a thousand together / JavaScript", 0.25, worker.batch / worker.javascript);
console.table(figures);
