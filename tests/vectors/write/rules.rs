//! Rules for single tenants: residency, pins, slots, and which of several patterns holds.

use halcyon_core::placement::RegionStatus::{self, Down, Draining, Forbidden, Up};
use halcyon_core::release::Phase;

use crate::ids;
use crate::json::{self, File};
use crate::setting::{Seen, Setting, tenant, write_answer, write_health};

const REGIONS: &str = "us-east,us-west,eu-west,eu-central";

/// Patterns that cover each other, in no order.
const PATTERNS: &str = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west","eu-central"]},{"tenant":"bank-de-*","regions":["eu-central"]},{"tenant":"bank-de-7","regions":["eu-west","us-east"]},{"tenant":"b*","regions":["us-west","us-east","eu-west"]},{"tenant":"nowhere","regions":[]},{"tenant":"Zo\u00eb*","regions":["us-west"]},{"tenant":"Zo*","regions":["eu-west"]},{"tenant":"\u65e5*","regions":["us-east"]}],"pins":[{"tenant":"acme","region":"us-west"},{"tenant":"acme*","region":"eu-west"},{"tenant":"bank-1","region":"eu-west"},{"tenant":"bank-2","region":"us-east"},{"tenant":"bank-de-*","region":"us-west"},{"tenant":"nowhere","region":"us-east"}],"slots":[{"tenant":"staff-*","slot":"green"},{"tenant":"staff-1","slot":"blue"},{"tenant":"bank-*","slot":"blue"},{"tenant":"bank-de-7","slot":"green"},{"tenant":"vip-*","slot":"blue"}]}"#;

/// Every tenant has a rule of each list, and a few a closer one.
const EVERYBODY: &str = r#"{"residency":[{"tenant":"*","regions":["eu-central","us-west"]},{"tenant":"acme","regions":["us-east","us-west","eu-west","eu-central"]}],"pins":[{"tenant":"*","region":"us-east"},{"tenant":"globex","region":"eu-central"}],"slots":[{"tenant":"*","slot":"green"},{"tenant":"a","slot":"blue"}]}"#;

const TENANTS: [&str; 26] = [
    "acme",
    "acme-2",
    "acm",
    "globex",
    "a",
    "b",
    "bank",
    "bank-",
    "bank-1",
    "bank-2",
    "bank-3",
    "bank-de-",
    "bank-de-1",
    "bank-de-7",
    "bank-de-77",
    "Bank-1",
    "nowhere",
    "nowhere2",
    "staff-1",
    "staff-12",
    "vip-9",
    "Zo\u{eb}",
    "Zoe\u{308}",
    "Zo\u{e8}",
    "\u{65e5}\u{672c}\u{8a9e}",
    "\u{65e4}",
];

const HEALTH: [[RegionStatus; 4]; 7] = [
    [Up, Up, Up, Up],
    [Down, Up, Up, Up],
    [Up, Up, Down, Up],
    [Up, Down, Down, Draining],
    [Up, Up, Forbidden, Forbidden],
    [Down, Forbidden, Down, Down],
    [Forbidden, Up, Draining, Down],
];

pub(crate) fn file() -> String {
    let mut file = File::new(
        "rules for single tenants, beside each other and beside health; a release in canary at 50 %",
    );
    for rules in [PATTERNS, EVERYBODY] {
        for (sticky, policy) in [
            ("hash", "ordered"),
            ("rendezvous", "rendezvous"),
            ("primary", "round_robin"),
        ] {
            for health in HEALTH {
                let setting = Setting::new([
                    ("REGIONS", REGIONS),
                    ("PRIMARY_REGION", "us-west"),
                    ("TENANT_STICKY", sticky),
                    ("FAILOVER_POLICY", policy),
                ]);
                add(&mut file, setting.with_rules(rules), &health);
            }
        }
    }
    file.finish()
}

fn add(file: &mut File, setting: Setting, health: &[RegionStatus]) {
    let router = setting.router();
    let release = Seen {
        id: "r1".into(),
        phase: Phase::Canary,
        weight: 50,
    };
    let slots = release.rule(&router);
    let case = |id: &&str| {
        let mut members = vec![("tenant", ids::write(id))];
        members.extend(write_answer(router.route(tenant(id), health, &slots)));
        json::object(&members)
    };
    let cases: Vec<String> = TENANTS.iter().map(case).collect();
    let mut shared = setting.write();
    shared.push(("health", write_health(health)));
    shared.push(("release", release.write()));
    file.group(&shared, &cases);
}
