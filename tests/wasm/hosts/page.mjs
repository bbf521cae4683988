// Answers calls of the package @halcyon/page, a JSON object a line on stdin, a JSON text a line on stdout.
// Argument: the package's folder.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const page = await import(pathToFileURL(`${process.argv[2]}/node.js`));
const { explain, json, Journal, Router, simulate, verify } = page;

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));

// As the command line prints an array: an answer a line.
const list = (texts) => `[${texts.join(",\n")}]`;

// The codes of what is asked wrongly.
function refusals(journal) {
  const calls = [
    () => verify(undefined),
    () => new Journal(null),
    () => verify("", 7),
    () => verify("", "1"),
    () => journal.forecast(undefined),
    () => journal.forecast("deploy"),
    () => explain(Router.fromEnv({ REGIONS: "a", TENANT_STICKY: "hash" }), 7),
  ];
  return calls.map((call) => {
    try {
      return `taken: ${json(call())}`;
    } catch ({ code, problems }) {
      return `${code}: ${problems.join("; ").split(";")[0]}`;
    }
  });
}

// Reads a journal many times and keeps a few: how many MiB that takes after the first ones, and what the kept ones say.
async function keep(journal, times) {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const held = () => process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  const kept = [];
  let early;
  for (let n = 0; n < times; n++) {
    const read = new Journal(journal);
    if (n % 1_000 === 0) kept.push(read);
    if (n % 250 === 0) {
      // What is gone is told of between two turns of the loop.
      gc();
      await new Promise((go) => setImmediate(go));
    }
    if (n === 1_000) early = held();
  }
  const said = new Set(kept.map((read) => json(read.status())));
  return list([String((held() - early) >> 20), ...said]);
}

function answer({ call, journal, ...asked }) {
  switch (call) {
    case "explain": {
      let router = asked.env ? Router.fromEnv(asked.env) : new Router(asked.table);
      for (const region of asked.down) router = router.withHealth(region, "down");
      return list(asked.tenants.map((tenant) => json(explain(router, tenant))));
    }
    case "simulate":
      return json(simulate(asked.from, asked.to));
    case "verify":
      return json(verify(bytes(journal), asked.head ?? undefined));
    case "status":
      return json(new Journal(bytes(journal)).status());
    case "tail":
      return list(new Journal(bytes(journal)).lines);
    case "error":
      return new Journal(bytes(journal)).error ?? "";
    case "offers":
      return json(new Journal(bytes(journal)).offers(asked));
    case "forecast":
      return json(new Journal(bytes(journal)).forecast(asked.command, asked.argument, asked));
    case "keep":
      return keep(bytes(journal), asked.times);
    case "refusals":
      return list(refusals(new Journal(bytes(journal))));
    default:
      throw new Error(`unknown call ${call}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
