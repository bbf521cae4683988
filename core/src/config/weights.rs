//! `REGION_WEIGHTS`.

use alloc::vec::Vec;

use super::regions::listed;
use super::{Lookup, Problems, Topology, items, value};
use crate::document::nearest;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::Seen;

const VARIABLE: &str = "REGION_WEIGHTS";

/// A weight for each of `regions`: the variable's, else the topology's, else 1.
pub(super) fn read_weights(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    topology: &Topology,
    problems: &mut Problems,
) -> Vec<u16> {
    let mut weights: Vec<(&RegionName, Option<u16>)> =
        regions.iter().map(|region| (region, None)).collect();
    let list = value(lookup, VARIABLE).unwrap_or_default();
    let count = items(&list).filter(|item| !item.is_empty()).count();
    if count > REGIONS_MAX {
        problems.error(
            VARIABLE,
            format_args!(
                "{} has {count} weights; allowed: at most {REGIONS_MAX}",
                Seen(&list)
            ),
        );
    }
    for item in items(&list)
        .filter(|item| !item.is_empty())
        .take(REGIONS_MAX)
    {
        let Some((name, text)) = item.split_once('=') else {
            problems.error(
                VARIABLE,
                format_args!("{} has no weight; allowed: region=0 to 65535", Seen(item)),
            );
            continue;
        };
        let (name, text) = (
            name.trim_matches([' ', '\t']),
            text.trim_matches([' ', '\t']),
        );
        let weight = read_weight(text);
        if weight.is_none() {
            problems.error(
                VARIABLE,
                format_args!(
                    "{} of {} is no weight; allowed: whole numbers from 0 to 65535",
                    Seen(text),
                    Seen(name)
                ),
            );
        }
        match weights
            .iter_mut()
            .find(|(region, _)| region.as_str() == name)
        {
            Some((_, Some(_))) => problems.error(
                VARIABLE,
                format_args!(
                    "{} has a weight twice; allowed: each region once",
                    Seen(name)
                ),
            ),
            Some((_, known)) => *known = Some(weight.unwrap_or(1)),
            // Where REGIONS could not be read, that is the error.
            None if regions.is_empty() => {}
            None => {
                let meant = nearest(name, regions.iter().map(RegionName::as_str));
                let meant = meant.map_or_else(Default::default, |meant| {
                    alloc::format!("did you mean \"{meant}\"? ")
                });
                problems.error(
                    VARIABLE,
                    format_args!(
                        "{} is not in REGIONS; {meant}allowed: {}",
                        Seen(name),
                        listed(regions)
                    ),
                );
            }
        }
    }
    weights
        .into_iter()
        .map(|(region, weight)| {
            weight
                .or_else(|| topology.region(region)?.weight)
                .unwrap_or(1)
        })
        .collect()
}

/// Digits only, 0 to 65,535.
fn read_weight(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
