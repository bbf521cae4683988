// Everything the package has, with the types it says.
import init, {
  activeRegions,
  HalcyonError,
  nextFailover,
  type NoPlacement,
  type Placement,
  preferredRegion,
  type RegionReport,
  Router,
  type Slot,
  type Table,
  validateRegionConfig,
} from "@halcyon/edge";

await init();
const env = { REGIONS: "us-east,us-west", PRIMARY_REGION: "us-east" };
const names: string[] = activeRegions(env);
const name: string = preferredRegion(env, "acme") + nextFailover(env, "us-east");
const report: RegionReport = validateRegionConfig(env);

const table: Table = {
  format: 1,
  epoch: 7,
  issued_at: "2026-01-01T00:00:00.000Z",
  deployment: "shop",
  regions: [{ name: "us-east", weight: 1, status: "up" }],
  sticky: "hash",
  failover: "ordered",
  rules: { pins: [{ tenant: "acme", region: "us-east" }] },
  release: { id: "r1", state: "canary", weight: 10 },
};
const router: Router = new Router(table).withHealth("us-east", "draining");
const found: Placement = router.route("acme");
const slot: Slot = found.slot;
const many: (Placement | NoPlacement)[] = router.routeMany(new Set(["acme"]));
const cohort: number | null = router.cohort("acme");
const epoch: number | null = Router.fromEnv(env).epoch;
try {
  router.update("{}");
} catch (error) {
  if (error instanceof HalcyonError) console.log(error.code === "bad_table", error.problems.length);
}
console.log(names, name, report.valid, slot, many.length, cohort, epoch, router.regions.length, router.preferredRegion("a"));
