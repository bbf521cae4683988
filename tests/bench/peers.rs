//! Other crates that give a key one of some nodes, each as its README uses it.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use halcyon_core::placement::Router;

use super::own::{figure, preferred};
use super::rounds::Side;
use super::{Case, Figure, ids, router};

/// The hash of all of them: theirs differ, and what is compared is the choice, not the hash.
#[derive(Clone, Copy)]
struct Sip13;

impl BuildHasher for Sip13 {
    type Hasher = siphasher::sip::SipHasher13;

    fn build_hasher(&self) -> Self::Hasher {
        siphasher::sip::SipHasher13::new_with_keys(0, 0)
    }
}

/// A node by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node(String);

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl hrw_hash::HrwNode for Node {
    fn capacity(&self) -> usize {
        let number = self.0.rsplit('-').next().and_then(|text| text.parse().ok());
        number.unwrap_or(0) + 1
    }
}

static MAGLEV: Figure = figure("rendezvous prepared / maglev", 1.0);
static JUMPHASH: Figure = figure("rendezvous prepared / jumphash", 1.0);
static HASHRING: Figure = figure("rendezvous prepared / hashring", 1.0);
static HRW: Figure = figure("rendezvous weighted, 256 regions / hrw-hash", 0.05);

pub(super) static FIGURES: [&Figure; 4] = [&MAGLEV, &JUMPHASH, &HASHRING, &HRW];

/// Halcyon's cost in units of each crate's, at so many regions.
pub(super) fn cases(regions: usize) -> Vec<Case> {
    let ids = ids(36);
    let nodes: Vec<Node> = (0..regions).map(|n| Node(format!("region-{n}"))).collect();
    let address = |node: &Node| std::ptr::from_ref(node) as u64;

    let maglev = maglev::Maglev::with_hasher(nodes.clone(), Sip13);
    let jump = jumphash::CustomJumpHasher::new(Sip13.build_hasher());
    let mut ring = hashring::HashRing::with_hasher(Sip13);
    ring.batch_add(nodes.clone());
    let hrw = hrw_hash::HrwNodes::with_build_hasher(Sip13, nodes);

    let case = |what: &str, figure, ours: Router, theirs: Side| Case {
        name: format!("{regions} regions, {what}"),
        figure,
        first: preferred(ids, ours),
        second: theirs,
    };
    let prepared = || router(regions, "rendezvous", true).prepare();
    let count = regions as u32;
    let hrw_figure = (regions == 256).then_some(&HRW);
    vec![
        case(
            "prepared / maglev",
            Some(&MAGLEV),
            prepared(),
            asked(ids, move |id| {
                use maglev::ConsistentHasher as _;
                maglev.get(id).map_or(0, address)
            }),
        ),
        case(
            "prepared / jumphash",
            Some(&JUMPHASH),
            prepared(),
            asked(ids, move |id| jump.slot(id, count).into()),
        ),
        case(
            "prepared / hashring",
            Some(&HASHRING),
            prepared(),
            asked(ids, move |id| ring.get(id).map_or(0, address)),
        ),
        case(
            "weighted / hrw-hash",
            hrw_figure,
            router(regions, "rendezvous", true),
            asked(ids, move |id| hrw.sorted(id).next().map_or(0, address)),
        ),
    ]
}

fn asked(ids: &'static [String], decide: impl Fn(&String) -> u64 + 'static) -> Side {
    Box::new(move || {
        let mut sum = 0_u64;
        for id in ids {
            sum = sum.wrapping_add(decide(black_box(id)));
        }
        black_box(sum);
    })
}
