//! Other crates that give a key one of some nodes, each as its README uses it.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;

use super::rounds::{Side, compare};
use super::{ids, preferred, router};

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

/// Prints Halcyon's cost in units of each crate's.
pub(crate) fn compare_all(regions: usize, rounds: usize) {
    let ids = ids(36);
    let nodes: Vec<Node> = (0..regions).map(|n| Node(format!("region-{n}"))).collect();
    let asked = |decide: Box<dyn Fn(&String) -> u64>| -> Side<'_> {
        let ids = &ids;
        Box::new(move || {
            let sum = ids
                .iter()
                .fold(0_u64, |sum, id| sum.wrapping_add(decide(black_box(id))));
            black_box(sum);
        })
    };
    let address = |node: &Node| node.0.as_ptr() as u64;

    let maglev = maglev::Maglev::with_hasher(nodes.clone(), Sip13);
    let jump = jumphash::CustomJumpHasher::new(Sip13.build_hasher());
    let mut ring = hashring::HashRing::with_hasher(Sip13);
    ring.batch_add(nodes.clone());
    let hrw = hrw_hash::HrwNodes::with_build_hasher(Sip13, nodes);

    let prepared = router(regions, "rendezvous", true).prepare();
    let direct = router(regions, "rendezvous", true);
    let print = |what: &str, ours, theirs: Side<'_>| {
        let ratio = compare(preferred(&ids, ours), theirs, rounds);
        println!("{regions:>3} regions  {what:<34} {ratio}");
    };
    let count = regions as u32;
    print(
        "prepared / maglev",
        &prepared,
        asked(Box::new(move |id| {
            use maglev::ConsistentHasher as _;
            maglev.get(id).map_or(0, address)
        })),
    );
    print(
        "prepared / jumphash",
        &prepared,
        asked(Box::new(move |id| jump.slot(id, count).into())),
    );
    print(
        "prepared / hashring",
        &prepared,
        asked(Box::new(move |id| ring.get(id).map_or(0, address))),
    );
    print(
        "weighted, not prepared / hrw-hash",
        &direct,
        asked(Box::new(move |id| hrw.sorted(id).next().map_or(0, address))),
    );
}
