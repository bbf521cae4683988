//! Rules for tenants that no region may serve, or that another rule overrules.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{name, shown};
use crate::config::RegionConfig;
use crate::text::Seen;

pub(super) fn findings(config: &RegionConfig) -> Vec<String> {
    let mut found = residency(config);
    found.extend(ignored_pins(config));
    found
}

/// Tenants that no region, or a single one, may serve.
fn residency(config: &RegionConfig) -> Vec<String> {
    let several = config.regions.len() > 1;
    let rules = config.rules.residency.iter();
    let finding = |(pattern, places): (String, &Vec<u16>)| match places.as_slice() {
        [] => Some(format!(
            "TENANT_RULES_FILE: no region is legal for {}: its tenants are served nowhere",
            Seen(&pattern)
        )),
        [only] if several => Some(format!(
            "TENANT_RULES_FILE: no legal survivor for {}: only {} is allowed, and while it is down nothing else may serve its tenants",
            Seen(&pattern),
            name(config, usize::from(*only))
        )),
        _ => None,
    };
    shown(rules.filter_map(finding), "residency rules like that")
}

/// Pins that residency overrules.
fn ignored_pins(config: &RegionConfig) -> Vec<String> {
    let (residency, pins) = (&config.rules.residency, &config.rules.pins);
    let of_all = pins.iter().filter_map(|(pattern, place)| {
        let places = residency.covering(&pattern)?;
        if places.contains(place) {
            return None;
        }
        // Tenants of the pattern that have a residency rule of their own, which allows the pin.
        let but = match residency
            .within(&pattern)
            .any(|places| places.contains(place))
        {
            true => " but for those of a closer residency rule",
            false => "",
        };
        Some(ignored(config, &pattern, *place, but, places))
    });
    // Tenants with a residency rule of their own inside of a pin's pattern.
    let of_some = residency.iter().filter_map(|(tenants, places)| {
        let (pin, place) = (pins.covering_pattern(&tenants)?, pins.covering(&tenants)?);
        // Else the whole pin is ignored, which is said already.
        let goes = residency
            .covering(&pin)
            .is_none_or(|places| places.contains(place));
        (goes && !places.contains(place)).then(|| {
            ignored(
                config,
                &pin,
                *place,
                &format!(" for {}", Seen(&tenants)),
                places,
            )
        })
    });
    shown(of_all.chain(of_some), "pins like that")
}

fn ignored(config: &RegionConfig, pin: &str, place: u16, whom: &str, places: &[u16]) -> String {
    format!(
        "TENANT_RULES_FILE: the pin of {} to {} is ignored{whom}: residency allows {}",
        Seen(pin),
        name(config, usize::from(place)),
        names(config, places)
    )
}

fn names(config: &RegionConfig, places: &[u16]) -> String {
    if places.is_empty() {
        return String::from("no region");
    }
    let names = places.iter().map(|place| name(config, usize::from(*place)));
    names.collect::<Vec<_>>().join(", ")
}
