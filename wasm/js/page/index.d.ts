import type { Reason, Router, Slot, Table } from "./edge.js";

export * from "./edge.js";
export { default } from "./edge.js";

/** A value as the command line prints it: one line of ASCII JSON. */
export function json(value: unknown): string;

/** What `halcyon route --explain -o json` says of a tenant. */
export interface Explained {
  tenant: string;
  region: string | null;
  preferred: string | null;
  slot: Slot | null;
  reason: Reason | null;
  /** Why there is no region. */
  error?: string;
  /** The decision, step by step. */
  steps?: string[];
}

/** Where a tenant goes, step by step. A text that is no tenant id has an `error`; this throws for no text. */
export function explain(router: Router, tenant: string): Explained;

/** Who moves when `to` follows `from`. Numbers of tenants are counts `of` all. Throws `bad_table`. */
export function simulate(from: Table | string, to: Table | string): Moves;

export interface Moves {
  /** The epochs. */
  from: number;
  to: number;
  /** Every hash has been counted; else it is what is expected where one part of a hash has nothing to do with another. */
  exact: boolean;
  of: number;
  /** Tenants that no rule is about and that go to another region. */
  moved: number;
  /** Those of `to`, in their order, then those only `from` has; null where no region serves. */
  regions: {
    region: string | null;
    before: number;
    after: number;
    stays: number;
    leaves: number;
    arrives: number;
    /** What it has after, in percent of what it had; null where it had nothing. */
    load_percent: number | null;
  }[];
  /** The greatest first, at most 100. */
  flows: { from: string | null; to: string | null; count: number }[];
  more_flows: number;
  /** Green's share before and after, in hundredths of a percent. */
  green: [number, number];
  /** The tenants of each pattern of the rules, as far as no longer pattern is about them; at most 100. */
  groups: { tenants: string; moved: number; of: number }[];
  more_groups: number;
  /** Single tenants that rules name and that move; at most 100. */
  tenants: { tenant: string; from: string | null; to: string | null }[];
  more_tenants: number;
}

/** What `halcyon audit verify -o json` says of a journal. Throws `bad_head`; `bad_journal` where it is neither bytes nor text. */
export function verify(journal: Uint8Array | string, expectedHead?: string): Audit;

export interface Audit {
  valid: boolean;
  records: number;
  /** `SEQ:HASH`. */
  head: string;
  /** Bytes after the last newline. */
  torn_tail: number;
  errors: string[];
  cannot_rule_out: string[];
}

export type State = "idle" | "green_provisioned" | "canary" | "green_live" | "rollback_in_progress";

/** What `halcyon status -o json` says. */
export interface Status {
  state: State;
  blue_image: string | null;
  green_image: string | null;
  former_blue: string | null;
  canary_weight: number;
  traffic_split: { blue: number; green: number };
  release_id: string | null;
  under_way: boolean;
  outcome: "under_way" | "promoted" | "rolled_back" | "none";
  /** Why it was rolled back, or is being rolled back. */
  reason?: string;
  /** The image that was rolled back, or is being rolled back. */
  former_green: string | null;
  ended_at: string | null;
  paused: string | null;
  step: number | null;
  steps: number[];
  regions: string[];
  next_deadline: string | null;
  blue_pool: "blue" | "green";
}

export type Command =
  | "provision_green"
  | "start_canary"
  | "increase_weight"
  | "promote_green"
  | "rollback_to_blue"
  | "pause"
  | "resume";

/** Who asks: `role` as in `DEPLOY_RBAC_ROLE`; `killSwitch` is `FEATURE_BLUE_GREEN=false`. */
export interface Who {
  role?: string;
  killSwitch?: boolean;
}

/** A journal, read to its end or to the first line that does not verify. */
export class Journal {
  constructor(journal: Uint8Array | string);
  /** The lines that verify, as they are. */
  readonly lines: string[];
  /** The same, parsed. */
  readonly records: Record<string, unknown>[];
  /** Bytes after the last newline: an append that never finished. */
  readonly tornTail: number;
  /** What does not verify; nothing behind it counts. */
  readonly error: string | null;
  /** The state; `driver` is whether a process drives the release. */
  status(who?: { driver?: boolean }): Status & { driver: boolean; audit_head: string };
  /** Whether each command would be taken now, with which weights, and else why not. */
  offers(who?: Who): { command: Command; allowed: boolean; weights?: number[]; refusal?: string }[];
  /** What a command would do now, without doing it. Throws `bad_command`. */
  forecast(
    command: Command,
    argument?: string | number,
    who?: Who & { at?: number },
  ): { allowed: boolean; refusal?: string; events: Record<string, unknown>[]; after: Status };
}
