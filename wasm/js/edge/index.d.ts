/** Variables by name, such as a Worker's `env` or `process.env`. Numbers and booleans count as their text. */
export type Env = Readonly<Record<string, unknown>>;

export type Slot = "blue" | "green";
export type Status = "up" | "down" | "draining" | "forbidden";
export type Sticky = "primary" | "hash" | "rendezvous";
export type Policy = "ordered" | "round_robin" | "rendezvous";
export type Reason = "primary" | "hash" | "rendezvous" | "residency" | "pinned" | "failover" | "all_down";

/** A routing table, as `halcyon table` prints it. */
export interface Table {
  format: 1;
  /** Grows with every table, up to 2^53 - 1. */
  epoch: number;
  /** RFC 3339. */
  issued_at: string;
  deployment: string;
  /** 1 to 1,024, in priority order. */
  regions: { name: string; weight: number; status: Status; blue?: string; green?: string }[];
  primary?: string;
  sticky: Sticky;
  failover: Policy;
  /** 32 hex digits. */
  hash_key?: string;
  rules?: {
    residency?: { tenant: string; regions: string[] }[];
    pins?: { tenant: string; region: string }[];
    slots?: { tenant: string; slot: Slot }[];
  };
  release?: {
    id: string;
    state: "idle" | "green_provisioned" | "canary" | "green_live" | "rollback_in_progress";
    weight: number;
    valid_until?: string;
  };
}

/** Where a tenant goes. Frozen: the same answer is the same object. */
export interface Placement {
  /** The region that serves it now. */
  readonly region: string;
  /** Its first choice, health aside. */
  readonly preferred: string;
  readonly slot: Slot;
  readonly reason: Reason;
}

/** Where a tenant of many does not go, and why. */
export interface NoPlacement {
  readonly region: null;
  readonly preferred: null;
  readonly slot: null;
  readonly reason: null;
  readonly error: HalcyonError;
}

export type Code =
  | "bad_table"
  | "refused_table"
  | "bad_config"
  | "bad_tenant"
  | "bad_region"
  | "bad_status"
  | "no_failover"
  | "residency_unavailable"
  // of @halcyon/page alone
  | "bad_journal"
  | "bad_head"
  | "bad_command";

/** Why something is refused. */
export class HalcyonError extends Error {
  readonly code: Code;
  /** Everything that is wrong, at least one. */
  readonly problems: string[];
}

export interface RegionReport {
  valid: boolean;
  regions: string[];
  primary: string | null;
  policy: Policy;
  errors: string[];
  warnings: string[];
}

/** Loads the module. Only a browser without a bundler has to wait for it, once; elsewhere it is there. */
export default function init(url?: string | URL): Promise<void>;

/** The regions of `REGIONS`, in priority order. Throws `bad_config`. */
export function activeRegions(env: Env): string[];

/** The region a tenant belongs to, health aside. Throws. For many tenants, make a `Router` once. */
export function preferredRegion(env: Env, tenant: string): string;

/** The region after `current`. Throws `no_failover`, `bad_config`, `bad_region` where `current` is no text. */
export function nextFailover(env: Env, current: string): string;

/** Everything that is wrong with the region variables, or probably not meant. */
export function validateRegionConfig(env: Env): RegionReport;

export class Router {
  /** Over a table or its JSON. Throws `bad_table` with every problem; `refused_table` a day ahead of the clock. */
  constructor(table: Table | string);
  /** Over variables, without a release: all blue. Throws `bad_config`. */
  static fromEnv(env: Env): Router;
  /** The names of its regions, in priority order. */
  readonly regions: string[];
  /** The epoch of its table; null over variables. */
  readonly epoch: number | null;
  /** Where a tenant (1 to 16,384 bytes of UTF-8) goes. Throws `bad_tenant`, `residency_unavailable`. */
  route(tenant: string): Placement;
  /** Its first choice, health aside. Throws as `route`. */
  preferredRegion(tenant: string): string;
  /** Where many tenants go, in their order. What `route` would throw stands in its place. */
  routeMany(tenants: Iterable<string>): (Placement | NoPlacement)[];
  /**
   * The smallest weight in percent, 1 to 100, at which the release of its table has this tenant on green; null where
   * no release draws tenants, a rule gives this one its slot, or it is no id.
   */
  cohort(tenant: string): number | null;
  /** Another router with what this edge knows of a region; a next table's word holds again. Throws `bad_region`, `bad_status`. */
  withHealth(region: string, status: Status): Router;
  /** Takes a newer table, or throws `bad_table` or `refused_table` and keeps the one it has. */
  update(table: Table | string): void;
}
