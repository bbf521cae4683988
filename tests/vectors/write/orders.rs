//! The whole order of a tenant's regions under rendezvous, ties included.

use halcyon_core::placement::RegionStatus;

use super::{KEY, names, weights};
use crate::ids;
use crate::json::{self, File};
use crate::setting::{Setting, tenant};

/// Keys under which, at equal weights, the two best regions of a bucket have one score, with tenants of
/// that bucket. Of 8 regions about one key in 1,300 has such a bucket.
const TIES: [(&str, [&str; 2]); 3] = [
    (
        "00000000000000000000000000000939",
        ["tenant90676", "tenant201784"],
    ),
    (
        "00000000000000000000000000000ed8",
        ["tenant250472", "tenant362087"],
    ),
    (
        "00000000000000000000000000001241",
        ["tenant163523", "tenant281680"],
    ),
];

/// Against the order of their names, so that an implementation which lets the place decide is found.
const TIED: &str = "us-west,us-east,sa-east,eu-west,eu-north,ap-south,ap-east,af-south";

pub(crate) fn file() -> String {
    let mut file = File::new(
        "where tenants go when their regions go down one after the other: the first of the order while all are up, the next while that one is down, and so on",
    );
    let tenants = ids::tenants();
    let tenants: Vec<&str> = tenants.iter().take(24).map(String::as_str).collect();
    for (n, given, key) in [
        (3, &[1][..], ""),
        (5, &[1], KEY),
        (8, &[1], ""),
        (8, &[5, 1, 0, 2, 0, 1, 0, 65_535], ""),
        (5, &[0], ""),
        (32, &[1], ""),
    ] {
        let names = names(n);
        let given = if given == [1] {
            String::new()
        } else {
            weights(&names, given)
        };
        let at_most = if n > 8 { 6 } else { 24 };
        add(
            &mut file,
            &names.join(","),
            &given,
            key,
            &tenants[..at_most],
        );
    }
    for (key, tenants) in TIES {
        add(&mut file, TIED, "", key, &tenants);
    }
    file.finish()
}

fn add(file: &mut File, regions: &str, weights: &str, key: &str, tenants: &[&str]) {
    let setting = Setting::new([
        ("REGIONS", regions),
        ("REGION_WEIGHTS", weights),
        ("TENANT_STICKY", "rendezvous"),
        ("FAILOVER_POLICY", "rendezvous"),
        ("TENANT_HASH_KEY", key),
    ]);
    let case = |id: &&str| {
        json::object(&[
            ("tenant", ids::write(id)),
            ("order", json::texts(order(&setting, id))),
        ])
    };
    let cases: Vec<String> = tenants.iter().map(case).collect();
    file.group(&setting.write(), &cases);
}

/// What serves the tenant while what served it before is down.
pub(crate) fn order(setting: &Setting, id: &str) -> Vec<String> {
    let router = setting.router();
    let slots = router.slot_rule(None);
    let mut health = vec![RegionStatus::Up; router.len()];
    let mut order = Vec::new();
    for _ in 0..router.len() {
        let found = router.route(tenant(id), &health, &slots).unwrap();
        order.push(found.region.to_string());
        let place = router
            .regions()
            .iter()
            .position(|region| region == found.region);
        health[place.unwrap()] = RegionStatus::Down;
    }
    order
}
