//! Releases with the real program: regions that answer well and badly, hooks, signals, second terminals.

mod dry_run;
mod failing;
mod hooks;
mod killed;
mod leftovers;
mod permission;
mod promoting;
mod racing;
mod resuming;
mod steering;
mod stopping;
mod strange_text;
mod topology;
mod under_way;
mod unheard;

use halcyon_tests::region::Region;
use halcyon_tests::store::{Running, Store};

/// `release` of app:2 over app:1 to these regions.
fn release(regions: &[&Region], seq: &str, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["release".to_owned()];
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(|text| (*text).to_owned()));
    add(&[
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        seq,
    ]);
    regions
        .iter()
        .for_each(|region| add(&["--region", &region.at()]));
    add(more);
    arguments
}

/// Starts a release that bakes its first step, 10 %, for half a minute, and waits until it does.
fn baking(store: &Store, region: &Region, more: &[&str]) -> Running {
    let more = [&["--timeout-s", "30"], more].concat();
    let driver = store.start(&release(&[region], "10,50,100", &more));
    store.wait_for("start_canary");
    driver
}

const WHOLE: [&str; 8] = [
    "provision_green",
    "start_canary",
    "step_passed",
    "increase_weight",
    "step_passed",
    "increase_weight",
    "step_passed",
    "promote_green",
];

/// One that is taken back in its first step.
const TAKEN_BACK: [&str; 4] = [
    "provision_green",
    "start_canary",
    "rollback_to_blue",
    "rollback_complete",
];
