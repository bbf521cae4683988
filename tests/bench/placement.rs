//! `cargo bench`: what a decision costs, beside the bare hash and beside other crates, in one run.
//!
//! Every figure is a ratio of CPU time of this thread, with the two sides measured in turn, round by
//! round: the median of the rounds' ratios is what a noisy machine distorts least. At the end stands
//! which figures of `docs/performance.md` were reached.
//!
//! `--bench --once CASE TIMES` only runs a case's first side, for a profiler to look at.

mod own;
mod peers;
mod rounds;

use halcyon_core::placement::Router;
use rounds::{Ratio, Side, compare};

/// How many different tenants a round asks about: they stay in the cache, and no branch learns them.
const TENANTS: usize = 4096;

/// How often both sides are measured.
const ROUNDS: usize = 51;

/// Two sides to compare.
struct Case {
    name: String,
    figure: Option<&'static Figure>,
    first: Side,
    second: Side,
}

/// What is to be reached.
struct Figure {
    what: &'static str,
    at_most: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut cases = own::cases();
    cases.extend([3, 8, 32, 256].into_iter().flat_map(peers::cases));
    if let Some(once) = args.iter().position(|arg| arg == "--once") {
        return run_once(&cases, &args[once + 1..]);
    }
    // `cargo bench` passes --bench, `cargo test` --test: under the latter, one short round of each.
    let rounds = if args.iter().any(|arg| arg == "--bench") {
        ROUNDS
    } else {
        1
    };
    println!(
        "Ratios of CPU time, median of {rounds} rounds (lowest, highest), and what the first takes\n"
    );
    let measured: Vec<(Option<&Figure>, Ratio)> = cases
        .iter()
        .map(|case| {
            let ratio = compare(&case.first, &case.second, rounds);
            println!("{:<48} {ratio}", case.name);
            (case.figure, ratio)
        })
        .collect();
    println!(
        "\n{:<56} {:>8} {:>16}",
        "figure to reach", "at most", "medians"
    );
    for figure in own::FIGURES.into_iter().chain(peers::FIGURES) {
        summarise(figure, &measured);
    }
}

/// One line on a figure: the medians of its cases, from the lowest to the highest.
fn summarise(figure: &Figure, measured: &[(Option<&Figure>, Ratio)]) {
    let mut medians: Vec<f64> = measured
        .iter()
        .filter(|(of, _)| of.is_some_and(|of| std::ptr::eq(of, figure)))
        .map(|(_, ratio)| ratio.median)
        .collect();
    medians.sort_by(f64::total_cmp);
    let (lowest, highest) = (medians[0], medians[medians.len() - 1]);
    let reached = medians.iter().filter(|m| **m <= figure.at_most).count();
    let verdict = match medians.len() - reached {
        0 => "reached".to_owned(),
        missed => format!("missed in {missed} of {}", medians.len()),
    };
    let (what, at_most) = (figure.what, figure.at_most);
    println!("{what:<56} {at_most:>8.2} {lowest:>7.3} to {highest:.3}  {verdict}");
}

fn run_once(cases: &[Case], args: &[String]) {
    let [name, times] = args else {
        panic!("--once needs a case and how often it is to run");
    };
    let case = cases.iter().find(|case| case.name == *name);
    let case = case.unwrap_or_else(|| panic!("no case is named {name:?}"));
    let times: u64 = times.parse().expect("how often is a number");
    (0..times).for_each(|_| (case.first)());
}

/// Tenant ids of this many bytes, all different; they live as long as the program.
fn ids(length: usize) -> &'static [String] {
    let id = |n: u64| {
        let number = format!("{:x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        format!("{number}-tenant-of-some-customer-somewhere")[..length].to_owned()
    };
    (0..TENANTS as u64).map(id).collect::<Vec<_>>().leak()
}

/// Regions `region-0`, …; weights 1, 2, 3, … where they are to differ.
fn router(regions: usize, sticky: &str, weighted: bool) -> Router {
    let names: Vec<String> = (0..regions).map(|n| format!("region-{n}")).collect();
    let weights: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| format!("{name}={}", if weighted { n + 1 } else { 1 }))
        .collect();
    Router::from_lookup(&|name: &str| {
        Some(match name {
            "REGIONS" => names.join(","),
            "REGION_WEIGHTS" => weights.join(","),
            "TENANT_STICKY" => sticky.to_owned(),
            _ => return None,
        })
    })
    .expect("the configuration is valid")
}
