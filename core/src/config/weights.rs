//! `REGION_WEIGHTS`.

use alloc::vec::Vec;

use super::regions::listed;
use super::{Lookup, Problems, Topology, count_of, items, value};
use crate::document::meant;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::{count, cut, message, trim};

const VARIABLE: &str = "REGION_WEIGHTS";

/// A weight for each of `regions`: the variable's, else the topology's, else 1.
pub(super) fn read_weights(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    topology: &Topology,
    problems: &mut Problems,
) -> Vec<u16> {
    let mut weights: Vec<Option<u16>> = alloc::vec![None; regions.len()];
    let list = value(lookup, VARIABLE).unwrap_or_default();
    let given = count_of(&list);
    if given > REGIONS_MAX {
        let what = message!(
            "{?} has {} weights; allowed: at most {}",
            &list,
            &count(given),
            &count(REGIONS_MAX)
        );
        problems.error(VARIABLE, what);
    }
    let given = items(&list).filter(|item| !item.is_empty());
    for item in given.take(REGIONS_MAX) {
        read_item(item, regions, &mut weights, problems);
    }
    let or_topology = |(region, weight): (&RegionName, Option<u16>)| {
        weight
            .or_else(|| topology.region(region)?.weight)
            .unwrap_or(1)
    };
    regions.iter().zip(weights).map(or_topology).collect()
}

fn read_item(
    item: &str,
    regions: &[RegionName],
    weights: &mut [Option<u16>],
    problems: &mut Problems,
) {
    let Some((name, text)) = cut(item, b'=') else {
        let what = message!("{?} has no weight; allowed: region=0 to 65535", item);
        return problems.error(VARIABLE, what);
    };
    let (name, text) = (trim(name), trim(text));
    let weight = read_weight(text);
    if weight.is_none() {
        let what = message!(
            "{?} of {?} is no weight; allowed: whole numbers from 0 to 65535",
            text,
            name
        );
        problems.error(VARIABLE, what);
    }
    let mut known = regions.iter().zip(weights);
    match known.find(|(region, _)| region.as_str() == name) {
        Some((_, Some(_))) => problems.error(
            VARIABLE,
            message!("{?} has a weight twice; allowed: each region once", name),
        ),
        Some((_, known)) => *known = Some(weight.unwrap_or(1)),
        // Where REGIONS could not be read, that is the error.
        None if regions.is_empty() => {}
        None => {
            let mut known = regions.iter();
            problems.error(
                VARIABLE,
                message!(
                    "{?} is not in REGIONS; {}allowed: {}",
                    name,
                    &meant(name, &mut || known.next().map(RegionName::as_str)),
                    &listed(regions)
                ),
            );
        }
    }
}

/// Digits only, 0 to 65,535.
fn read_weight(text: &str) -> Option<u16> {
    u16::try_from(crate::text::digits(text)?).ok()
}
