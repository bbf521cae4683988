//! The networks in which the monitor may ask.

use alloc::vec::Vec;

use super::{Lookup, Problems, count_of, items, value};
use crate::address::Network;
use crate::text::{count, message};

/// The most networks of `PROBE_NETWORKS`: each probe looks at all of them.
const NETWORKS_MAX: usize = 64;

pub(super) fn read_networks(lookup: Lookup<'_>, problems: &mut Problems) -> Vec<Network> {
    const VARIABLE: &str = "PROBE_NETWORKS";
    let list = value(lookup, VARIABLE).unwrap_or_default();
    let mut found = Vec::new();
    let entries = count_of(&list);
    if entries > NETWORKS_MAX {
        let what = message!(
            "has {} networks; allowed: at most {}",
            &count(entries),
            &count(NETWORKS_MAX)
        );
        problems.error(VARIABLE, what);
        return found;
    }
    for item in items(&list).filter(|item| !item.is_empty()) {
        match item.parse() {
            Ok(network) => found.push(network),
            Err(why) => problems.error(VARIABLE, message!("{}", &why)),
        }
    }
    found
}
