//! Writes the vectors: the questions stand here, the answers are the core's.

pub(crate) mod crowds;
mod failover;
mod hash;
pub(crate) mod orders;
mod placement;
mod plans;
mod releases;
pub(crate) mod routing;
mod rules;
mod slots;

/// A file's name and what it holds.
pub(crate) type Written = (&'static str, fn() -> String);

/// Every file of vectors.
pub(crate) const FILES: [Written; 9] = [
    ("hash.json", hash::file),
    ("placement.json", placement::file),
    ("orders.json", orders::file),
    ("crowds.json", crowds::file),
    ("rules.json", rules::file),
    ("routing.json", routing::file),
    ("failover.json", failover::file),
    ("slots.json", slots::file),
    ("releases.json", releases::file),
];

/// A key that is not symmetric in anything.
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// Names for `n` regions. The order of a list is not that of its names.
fn names(n: usize) -> Vec<String> {
    const KNOWN: [&str; 8] = [
        "us-east",
        "us-west",
        "eu-west",
        "eu-central",
        "ap-south",
        "ap-northeast",
        "sa-east",
        "af-south",
    ];
    if n <= KNOWN.len() {
        KNOWN[..n].iter().map(|name| String::from(*name)).collect()
    } else {
        (1..=n).map(|place| format!("region-{place}")).collect()
    }
}

/// `REGION_WEIGHTS` of `names`: these weights again and again.
fn weights(names: &[String], weights: &[u16]) -> String {
    let pairs: Vec<String> = names
        .iter()
        .zip(weights.iter().cycle())
        .map(|(name, weight)| format!("{name}={weight}"))
        .collect();
    pairs.join(",")
}
