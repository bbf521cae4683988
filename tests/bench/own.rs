//! Decisions beside the bare hash of the same ids.

use std::hint::black_box;

use halcyon_core::hash::TenantId;
use halcyon_core::placement::{ReleaseView, Router, Slot};
use halcyon_core::release::{Phase, Weight};
use siphasher::sip::SipHasher13;

use super::rounds::Side;
use super::{Case, Figure, ids, router};

pub(super) const fn figure(what: &'static str, at_most: f64) -> Figure {
    Figure { what, at_most }
}

static MODULO: Figure = figure("hash / bare", 1.10);
static SLOT: Figure = figure("hash, region and slot / bare", 1.20);
static PREPARED: Figure = figure("rendezvous prepared, 3 to 256 regions / bare", 1.10);
static WEIGHTED_3: Figure = figure("rendezvous weighted, 3 regions / bare", 2.2);
static WEIGHTED_8: Figure = figure("rendezvous weighted, 8 regions / bare", 3.0);

pub(super) static FIGURES: [&Figure; 5] = [&MODULO, &SLOT, &PREPARED, &WEIGHTED_3, &WEIGHTED_8];

/// All of them.
pub(super) fn cases() -> Vec<Case> {
    [8, 16, 36].into_iter().flat_map(of_length).collect()
}

fn of_length(length: usize) -> Vec<Case> {
    let ids = ids(length);
    let mut cases = Vec::new();
    let mut add = |what: &str, figure: Option<&'static Figure>, first: Side| {
        cases.push(Case {
            name: format!("{length} bytes, {what}"),
            figure,
            first,
            second: bare(ids),
        });
    };
    add("bare", None, bare(ids));
    add(
        "hash of a tenant id",
        None,
        hash(ids, router(3, "hash", false)),
    );
    add(
        "hash, 3 regions",
        Some(&MODULO),
        preferred(ids, router(3, "hash", false)),
    );
    add(
        "hash, region and slot, 3 regions",
        Some(&SLOT),
        route(ids, router(3, "hash", false)),
    );
    for regions in [3, 8, 32, 256] {
        let prepared = router(regions, "rendezvous", true).prepare();
        let what = format!("rendezvous prepared, {regions} regions");
        add(&what, Some(&PREPARED), preferred(ids, prepared));
    }
    for (regions, figure) in [(3, Some(&WEIGHTED_3)), (8, Some(&WEIGHTED_8)), (256, None)] {
        let what = format!("rendezvous weighted, {regions} regions");
        add(
            &what,
            figure,
            preferred(ids, router(regions, "rendezvous", true)),
        );
    }
    cases
}

/// The hash alone, at its fastest: this is its only caller in the program, so that it is inlined into
/// the loop. With a second one it is called, and takes a fifth longer.
fn bare(ids: &'static [String]) -> Side {
    // Keyed at run time, as ours is: a key known to the compiler would be folded away.
    let hasher = black_box(SipHasher13::new_with_keys(0, 0));
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            sum = sum.wrapping_add(hasher.hash(black_box(id).as_bytes()));
        }
        black_box(sum);
    })
}

/// Our hash of every id, the way to it included: what is above it is the price of a decision.
fn hash(ids: &'static [String], router: Router) -> Side {
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            let id = TenantId::new(black_box(id).as_str()).expect("1 to 16384 bytes");
            sum = sum.wrapping_add(router.hash(id));
        }
        black_box(sum);
    })
}

/// The first choice of every id, as whoever asks for it gets it: a reference to a name.
pub(super) fn preferred(ids: &'static [String], router: Router) -> Side {
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            let id = TenantId::new(black_box(id).as_str()).expect("1 to 16384 bytes");
            let region = router.preferred(id).expect("every region is allowed");
            sum = sum.wrapping_add(std::ptr::from_ref(region) as u64);
        }
        black_box(sum);
    })
}

/// Region and slot of every id during a canary of 25 %.
fn route(ids: &'static [String], router: Router) -> Side {
    let slots = router.slot_rule(Some(ReleaseView {
        id: "bench",
        phase: Phase::Canary,
        weight: Weight::new(25).expect("a weight"),
    }));
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            let id = TenantId::new(black_box(id).as_str()).expect("1 to 16384 bytes");
            let placement = router.route(id, &[], &slots).expect("every region is up");
            let region = std::ptr::from_ref(placement.region) as u64;
            sum = sum.wrapping_add(region + u64::from(placement.slot == Slot::Green));
        }
        black_box(sum);
    })
}
