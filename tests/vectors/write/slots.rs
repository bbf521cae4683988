//! Blue or green.

use halcyon_core::placement::Router;
use halcyon_core::release::Phase;

use super::KEY;
use crate::ids;
use crate::json::{self, File};
use crate::setting::{Seen, Setting, tenant};

const WEIGHTS: [i64; 6] = [0, 1, 2, 10, 50, 100];
/// On both sides of each weight.
const EDGES: [u64; 12] = [
    0, 99, 100, 199, 200, 999, 1000, 4999, 5000, 5001, 9998, 9999,
];

const RULES: &str = r#"{"slots":[{"tenant":"tenant*","slot":"green"},{"tenant":"tenant1","slot":"blue"},{"tenant":"acme","slot":"green"},{"tenant":"*","slot":"blue"}]}"#;

pub(crate) fn file() -> String {
    let mut file = File::new(
        "slots at each of the weights (percent); bucket is fmix64(hash XOR sip(\"slot\" 0x00 release id)) mod 10000",
    );
    let setting = |key| {
        Setting::new([
            ("REGIONS", "us-east,us-west"),
            ("TENANT_STICKY", "hash"),
            ("TENANT_HASH_KEY", key),
        ])
    };
    for key in ["", KEY] {
        for release in [
            "r1",
            "r2",
            "2026-11-25T04:27:17Z-7f3a",
            "gr\u{f6}\u{df}er \u{1f426}",
        ] {
            let tenants = on_the_edges(&setting(key).router(), release);
            let tenants = [ids::tenants(), tenants].concat();
            add(&mut file, &setting(key), release, Phase::Canary, &tenants);
        }
    }
    let few: Vec<String> = ids::tenants().into_iter().take(12).collect();
    for phase in Phase::ALL {
        add(&mut file, &setting(""), "r1", phase, &few);
        add(&mut file, &setting("").with_rules(RULES), "r1", phase, &few);
    }
    file.finish()
}

/// A tenant for each bucket beside which a weight ends.
fn on_the_edges(router: &Router, release: &str) -> Vec<String> {
    let rule = seen(release, Phase::Canary, 0).rule(router);
    let mut open = EDGES.to_vec();
    let mut found = Vec::new();
    for id in (0..).map(|number| format!("tenant{number}")) {
        let bucket = rule.bucket(router.hash(tenant(&id)));
        if let Some(place) = open.iter().position(|edge| *edge == bucket) {
            open.swap_remove(place);
            found.push((bucket, id));
        }
        if open.is_empty() {
            break;
        }
    }
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

fn seen(release: &str, phase: Phase, weight: i64) -> Seen {
    Seen {
        id: release.into(),
        phase,
        weight,
    }
}

fn add(file: &mut File, setting: &Setting, release: &str, phase: Phase, tenants: &[String]) {
    let router = setting.router();
    let rules = WEIGHTS.map(|weight| seen(release, phase, weight).rule(&router));
    let case = |id: &String| {
        let slots = rules.map(|rule| router.route(tenant(id), &[], &rule).unwrap().slot.name());
        json::object(&[
            ("tenant", ids::write(id)),
            (
                "bucket",
                rules[0].bucket(router.hash(tenant(id))).to_string(),
            ),
            ("slots", json::texts(slots)),
        ])
    };
    let cases: Vec<String> = tenants.iter().map(case).collect();
    let release = [
        ("id", json::text(release)),
        ("state", json::text(phase.name())),
    ];
    let mut shared = setting.write();
    shared.push(("release", json::object(&release)));
    shared.push((
        "weights",
        json::list(WEIGHTS.map(|weight| weight.to_string())),
    ));
    file.group(&shared, &cases);
}
