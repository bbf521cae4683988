// One unit of work each, the same for every runtime: where the tenants of a list go.
import { place } from "./siphash.mjs";

const REGIONS = ["us-east", "us-west", "eu-west"];

/** Ids of 36 bytes, as UUIDs have, more of them than the package keeps answers for; flat strings, as a server has them. */
export function ids(count) {
  const decoder = new TextDecoder();
  return Array.from({ length: count }, (_, n) => {
    const tail = (n * 2_654_435_761 % 4_294_967_296).toString(16).padStart(12, "0");
    return decoder.decode(new TextEncoder().encode(`${(n % 65_536).toString(16).padStart(8, "a")}-1b4e-4c1b-8f7d-${tail}`));
  });
}

/** What can be measured, each a function of a list of ids that answers how long the regions' names are together. */
export function works(api, HashRing) {
  const router = api.Router.fromEnv({ REGIONS: REGIONS.join(), TENANT_STICKY: "hash" });
  const works = {
    edge(ids) {
      let length = 0;
      for (const id of ids) length += router.route(id).region.length;
      return length;
    },
    batch(ids) {
      let length = 0;
      for (const answer of router.routeMany(ids)) length += answer.region.length;
      return length;
    },
    javascript(ids) {
      let length = 0;
      for (const id of ids) length += REGIONS[place(id, REGIONS.length)].length;
      return length;
    },
  };
  if (HashRing) {
    // With a cache of one answer, the least there is: every tenant is another one.
    const ring = new HashRing(REGIONS, "md5", { "max cache size": 1 });
    works.hashring = (ids) => {
      let length = 0;
      for (const id of ids) length += ring.get(id).length;
      return length;
    };
  }
  // Of one mind, or there is nothing to compare.
  const some = ids(5_000);
  if (works.edge(some) !== works.javascript(some) || works.batch(some) !== works.edge(some)) {
    throw new Error("the answers differ");
  }
  return works;
}
