//! What takes over from a region.

use halcyon_core::regions::next_failover;

use crate::json::{self, File};
use crate::setting::Setting;

pub(crate) fn file() -> String {
    let mut file = File::new("the next region after one; an error where there is none");
    for regions in [
        "us-east",
        "us-east,us-west",
        "us-east, us-west,,eu-west ,eu-central",
    ] {
        for policy in [
            "ordered",
            "round_robin",
            "rendezvous",
            "Round_Robin",
            "random",
            "",
        ] {
            let setting = Setting::new([
                ("REGIONS", regions),
                ("PRIMARY_REGION", regions.rsplit(',').next().unwrap()),
                ("FAILOVER_POLICY", policy),
            ]);
            let case = |current: &str| {
                let answer = match next_failover(&setting, current) {
                    Ok(region) => ("region", json::text(region.as_str())),
                    Err(why) => ("error", json::text(&why.to_string())),
                };
                json::object(&[("current", json::text(current)), answer])
            };
            let cases = [
                "us-east",
                "us-west",
                "eu-west",
                "eu-central",
                "US-EAST",
                "moon",
            ]
            .map(case);
            file.group(&setting.write(), &cases);
        }
    }
    file.finish()
}
