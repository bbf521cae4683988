//! `cargo bench`: what a decision costs, beside the bare hash and beside other crates, in one run.
//!
//! Every figure is a ratio of CPU time of this thread, with the two sides measured in turn, round by
//! round: the median of the rounds' ratios is what a noisy machine distorts least.

mod peers;
mod rounds;

use std::hint::black_box;

use halcyon_core::hash::TenantId;
use halcyon_core::placement::{ReleaseView, Router, Slot, SlotRule};
use halcyon_core::release::{Phase, Weight};
use rounds::{Side, compare};

/// How many different tenants a round asks about: they stay in the cache, and no branch learns them.
const TENANTS: usize = 4096;

fn main() {
    // `cargo bench` passes --bench, `cargo test` --test: under the latter, one short round of each.
    let rounds = if std::env::args().any(|arg| arg == "--bench") {
        31
    } else {
        1
    };
    println!(
        "CPU time against bare SipHash-1-3 of the same ids, median of {rounds} rounds (lowest, highest)\n"
    );
    for length in [8, 16, 36] {
        against_bare_hash(length, rounds);
    }
    println!("\nAgainst other crates, ids of 36 bytes, Halcyon / crate\n");
    for regions in [3, 8, 32, 256] {
        peers::compare_all(regions, rounds);
    }
}

/// Tenant ids of this many bytes, all different.
fn ids(length: usize) -> Vec<String> {
    (0..TENANTS)
        .map(|n| {
            let number = format!("{:x}", (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            format!("{number}-tenant-of-some-customer-somewhere")[..length].to_owned()
        })
        .collect()
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

/// A side that asks about every id.
fn side<'a>(ids: &'a [String], decide: impl Fn(TenantId<'_>) -> u64 + 'a) -> Side<'a> {
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            let id = TenantId::new(black_box(id).as_str()).expect("1 to 16384 bytes");
            sum = sum.wrapping_add(decide(id));
        }
        black_box(sum);
    })
}

fn preferred<'a>(ids: &'a [String], router: &'a Router) -> Side<'a> {
    side(ids, |id| {
        let region = router.preferred(id).expect("every region is allowed");
        region.as_str().as_ptr() as u64
    })
}

fn canary(router: &Router) -> SlotRule {
    router.slot_rule(Some(ReleaseView {
        id: "bench",
        phase: Phase::Canary,
        weight: Weight::new(25).expect("a weight"),
    }))
}

fn against_bare_hash(length: usize, rounds: usize) {
    let ids = ids(length);
    let bare = || -> Side<'_> {
        // Keyed at run time, as ours is: a key known to the compiler would be folded away.
        let hasher = black_box(siphasher::sip::SipHasher13::new_with_keys(0, 0));
        let ids = &ids;
        Box::new(move || {
            let mut sum = 0_u64;
            for id in ids {
                sum = sum.wrapping_add(hasher.hash(black_box(id).as_bytes()));
            }
            black_box(sum);
        })
    };
    let print = |what: &str, aim: &str, side: Side<'_>| {
        let ratio = compare(side, bare(), rounds);
        println!("{length:>3} bytes  {what:<34} {ratio}  aim {aim}");
    };
    let modulo = router(3, "hash", false);
    print("hash, 3 regions", "<= 1.10", preferred(&ids, &modulo));
    let slots = canary(&modulo);
    let route = side(&ids, |id| {
        let placement = modulo.route(id, &[], &slots).expect("every region is up");
        placement.region.as_str().as_ptr() as u64 + u64::from(placement.slot == Slot::Green)
    });
    print("hash, region and slot, 3 regions", "<= 1.20", route);
    for regions in [3, 8, 32, 256] {
        let prepared = router(regions, "rendezvous", true).prepare();
        let what = format!("rendezvous prepared, {regions} regions");
        print(&what, "<= 1.10", preferred(&ids, &prepared));
    }
    for (regions, aim) in [(3, "<= 2.2"), (8, "<= 3.0"), (256, "-")] {
        let direct = router(regions, "rendezvous", true);
        let what = format!("rendezvous weighted, {regions} regions");
        print(&what, aim, preferred(&ids, &direct));
    }
}
