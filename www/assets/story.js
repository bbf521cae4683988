// What a record or an event says, in words.

const list = (failures) => (failures ?? []).map(({ region, why }) => `${region}: ${why}`).join("; ");

const WORDS = {
  provision_green: (r) => `began a release of ${r.image_tag}`,
  start_canary: (r) => `canary of ${r.green_image} at ${r.weight} %`,
  increase_weight: (r) => `raised from ${r.old_weight} % to ${r.new_weight} %`,
  promote_green: (r) => `${r.new_blue} is live`,
  rollback_to_blue: (r) => `rolled back from ${r.old_weight} %: ${r.reason}`,
  rollback_complete: (r) => `${r.blue_image ?? "blue"} serves everybody`,
  region_confirmed: (r) => `${r.region} confirmed ${r.change}`,
  step_passed: (r) =>
    r.traffic
      ? `step ${r.weight} % passed: ${r.traffic.errors} of ${r.traffic.requests} requests failed`
      : `step ${r.weight} % passed`,
  step_failed: (r) => `went on though ${r.check} failed at ${r.weight} %: ${list(r.failures)}`,
  pause: (r) => `paused: ${r.reason}`,
  resume: () => "resumed",
  attach_driver: () => "a driver took over",
  detach_driver: (r) => `held: ${r.reason}`,
  permission_denied: (r) => `refused ${r.attempted}: ${r.reason}`,
};

const EVENTS = {
  health: "probes",
  override: "override",
  override_removed: "override taken back",
  override_expired: "override over",
  freeze: "everything automatic is stopped",
  unfreeze: "everything automatic goes on",
};

/** What happened. */
export function words({ kind, record }) {
  if (kind === "release") return (WORDS[record.action] ?? ((r) => r.action))(record);
  const from = record.from && record.to ? `: ${record.from} → ${record.to}` : "";
  const reason = record.reason ? ` (${record.reason})` : "";
  return `${EVENTS[record.event] ?? record.event}${from}${reason}`;
}

/** Who did it, or where it happened. */
export const who = ({ kind, record }) =>
  kind === "release"
    ? record.user
    : [record.region, record.user].filter((part) => part).join(", ");
