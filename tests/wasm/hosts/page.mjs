// Answers calls of the package @halcyon/page, a JSON object a line on stdin, a JSON text a line on stdout.
// Argument: the package's folder.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

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
    case "refusals":
      return list(refusals(new Journal(bytes(journal))));
    default:
      throw new Error(`unknown call ${call}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(answer(JSON.parse(line))));
}
