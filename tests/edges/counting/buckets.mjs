// Says of each number of microseconds in which bucket the template counts it.
import { readFileSync } from "node:fs";

const { bucketOf } = await import(`${process.cwd()}/counts.js`);
console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(bucketOf)));
