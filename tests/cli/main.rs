//! Every command from outside: what it answers, in which format, with which exit code.

mod absent;
mod audit;
mod canary_seq;
mod configuration;
mod files;
mod formats;
mod linter;
mod pipes;
mod reference;
mod route;
mod rules;
mod signing;
mod table;
mod topology;

use halcyon_tests::region::Region;
use halcyon_tests::store::{Ran, Store};

/// Three regions, tenants by hash.
const REGIONS: [(&str, &str); 3] = [
    ("REGIONS", "us-east,us-west,eu-west"),
    ("PRIMARY_REGION", "us-east"),
    ("TENANT_STICKY", "hash"),
];

/// Runs with three regions configured.
#[track_caller]
fn run(store: &Store, arguments: &[&str]) -> Ran {
    store.run_with(arguments, &REGIONS)
}

/// A whole release, in the journal.
fn released(store: &Store) {
    let region = Region::ready();
    let arguments = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "10,100",
        "--timeout-s",
        "0",
    ];
    store
        .run(&[&arguments[..], &["--region", &region.at()]].concat())
        .exits(0);
}
