//! Every health of four regions, under every policy, with and without rules.

use halcyon_core::placement::RegionStatus;

use crate::json::{self, File};
use crate::setting::{Answer, Setting, tenant, write_health};

const REGIONS: &str = "oslo,rome,lima,bonn";

/// Two allowed regions; three and a pin among them; two and a pin outside; a pin alone.
const RULES: &str = r#"{"residency":[{"tenant":"two-*","regions":["rome","bonn"]},{"tenant":"three-*","regions":["bonn","lima","oslo"]}],"pins":[{"tenant":"three-pinned","region":"lima"},{"tenant":"two-outside","region":"oslo"},{"tenant":"pinned","region":"rome"}]}"#;

pub(crate) fn file() -> String {
    let mut file = File::new(
        "every status of four regions, in the order of REGIONS; answers are region and reason for each of the tenants, null where there is none (residency_unavailable)",
    );
    for sticky in ["primary", "hash", "rendezvous"] {
        for policy in ["ordered", "round_robin", "rendezvous"] {
            let setting = |weights| {
                Setting::new([
                    ("REGIONS", REGIONS),
                    ("REGION_WEIGHTS", weights),
                    ("PRIMARY_REGION", "rome"),
                    ("TENANT_STICKY", sticky),
                    ("FAILOVER_POLICY", policy),
                ])
            };
            add(&mut file, setting(""), &["acme", "globex", "tenant5"]);
            let tenants = [
                "two-1",
                "two-outside",
                "three-4",
                "three-pinned",
                "pinned",
                "free",
            ];
            let setting = setting("oslo=3,rome=0,lima=1,bonn=2").with_rules(RULES);
            add(&mut file, setting, &tenants);
        }
    }
    file.finish()
}

fn add(file: &mut File, setting: Setting, tenants: &[&str]) {
    let router = setting.router();
    let slots = router.slot_rule(None);
    let case = |health: [RegionStatus; 4]| {
        let answers = tenants
            .iter()
            .map(|id| write(router.route(tenant(id), &health, &slots)));
        json::object(&[
            ("health", write_health(&health)),
            ("answers", json::list(answers)),
        ])
    };
    let cases: Vec<String> = every_health().map(case).collect();
    let preferred = tenants
        .iter()
        .map(|id| router.preferred(tenant(id)).unwrap());
    let mut shared = setting.write();
    shared.push(("tenants", json::texts(tenants)));
    shared.push((
        "preferred",
        json::texts(preferred.map(|region| region.as_str())),
    ));
    file.group(&shared, &cases);
}

fn every_health() -> impl Iterator<Item = [RegionStatus; 4]> {
    let of = RegionStatus::ALL;
    (0..256_usize).map(move |n| [of[n / 64], of[n / 16 % 4], of[n / 4 % 4], of[n % 4]])
}

/// An answer in short.
pub(crate) fn write(answer: Answer<'_>) -> String {
    match answer {
        Ok(found) => json::texts([found.region.as_str(), found.reason.name()]),
        Err(_) => "null".into(),
    }
}
