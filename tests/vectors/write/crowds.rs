//! Many tenants at once, as one number.

use std::collections::BTreeMap;

use halcyon_core::hash::HashKey;
use halcyon_core::placement::RegionStatus;

use super::{KEY, names, weights};
use crate::json::{self, File};
use crate::setting::{Setting, tenant, write_health};

const COUNT: usize = 10_000;

pub(crate) fn file() -> String {
    let mut file = File::new(
        "many tenants: the prefix followed by 0, 1, 2 and so on; counts says how many each region gets, digest is SipHash-1-3 under 16 zero bytes of all their regions in order, each followed by a newline (0x0a)",
    );
    let mixed = |n| weights(&names(n), &[3, 1, 2, 0, 5]);
    let cases = [
        (3, "hash", "ordered", String::new(), "", vec![]),
        (7, "hash", "round_robin", String::new(), KEY, vec![0, 3]),
        (3, "rendezvous", "rendezvous", String::new(), "", vec![]),
        (5, "rendezvous", "rendezvous", mixed(5), "", vec![]),
        (8, "rendezvous", "rendezvous", mixed(8), KEY, vec![1, 4]),
        (32, "rendezvous", "ordered", mixed(32), "", vec![0]),
    ];
    for (n, sticky, policy, weights, key, down) in cases {
        let setting = Setting::new([
            ("REGIONS", names(n).join(",").as_str()),
            ("REGION_WEIGHTS", &weights),
            ("TENANT_STICKY", sticky),
            ("FAILOVER_POLICY", policy),
            ("TENANT_HASH_KEY", key),
        ]);
        let mut health = vec![RegionStatus::Up; n];
        down.into_iter()
            .for_each(|place: usize| health[place] = RegionStatus::Down);
        let (counts, digest) = crowd(&setting, &health, "tenant", COUNT);
        let counts: Vec<(&String, String)> = counts
            .iter()
            .map(|(name, count)| (name, count.to_string()))
            .collect();
        let case = json::object(&[
            ("health", write_health(&health)),
            ("prefix", json::text("tenant")),
            ("count", COUNT.to_string()),
            ("counts", json::object(&counts)),
            ("digest", json::hex(digest)),
        ]);
        file.group(&setting.write(), &[case]);
    }
    file.finish()
}

/// How many tenants each region gets, and the digest of where they go.
pub(crate) fn crowd(
    setting: &Setting,
    health: &[RegionStatus],
    prefix: &str,
    count: usize,
) -> (BTreeMap<String, u64>, u64) {
    let router = setting.router().prepare();
    let slots = router.slot_rule(None);
    let (mut counts, mut regions) = (BTreeMap::new(), String::new());
    for number in 0..count {
        let id = format!("{prefix}{number}");
        let region = router.route(tenant(&id), health, &slots).unwrap().region;
        *counts.entry(region.to_string()).or_default() += 1;
        regions.push_str(region.as_str());
        regions.push('\n');
    }
    (counts, HashKey::default().sip13(regions.as_bytes()))
}
