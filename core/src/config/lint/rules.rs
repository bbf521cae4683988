//! Rules for tenants that no region may serve, or that another rule overrules.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Findings, name};
use crate::config::RegionConfig;
use crate::text::{list, message};

pub(super) fn findings(config: &RegionConfig, warnings: &mut Vec<String>) {
    residency(config, Findings::of(warnings));
    ignored_pins(config, Findings::of(warnings));
}

/// Tenants that no region, or a single one, may serve.
fn residency(config: &RegionConfig, mut found: Findings<'_>) {
    let several = config.regions.len() > 1;
    for (pattern, places) in config.rules.residency.iter() {
        match places.as_slice() {
            [] => found.add(message!(
                "TENANT_RULES_FILE: no region is legal for {?}: its tenants are served nowhere",
                pattern
            )),
            [only] if several => found.add(message!(
                "TENANT_RULES_FILE: no legal survivor for {?}: only {} is allowed, and while it is down nothing else may serve its tenants",
                pattern,
                name(&config.regions, usize::from(*only))
            )),
            _ => {}
        }
    }
    found.end("residency rules like that");
}

/// Pins that residency overrules.
fn ignored_pins(config: &RegionConfig, mut found: Findings<'_>) {
    let (residency, pins) = (&config.rules.residency, &config.rules.pins);
    let in_order = residency.in_order();
    for (pin, place) in pins.iter() {
        if let Some(places) = residency.covering(pin)
            && !places.contains(place)
        {
            // Tenants of the pattern that have a residency rule of their own, which allows the pin.
            let but = match in_order.any_within(pin, |places| places.contains(place)) {
                true => " but for those of a closer residency rule",
                false => "",
            };
            ignored(config, pin, *place, but, places, &mut found);
        }
    }
    // Tenants with a residency rule of their own inside of a pin's pattern.
    for (tenants, places) in in_order.iter() {
        if let Some((pin, place)) = pins.covering_entry(tenants)
            && !places.contains(place)
            // Else the whole pin is ignored, which is said already.
            && residency.covering(pin).is_none_or(|places| places.contains(place))
        {
            let whom = message!(" for {?}", tenants).text();
            ignored(config, pin, *place, &whom, places, &mut found);
        }
    }
    found.end("pins like that");
}

fn ignored(
    config: &RegionConfig,
    pin: &str,
    place: u16,
    whom: &str,
    places: &[u16],
    found: &mut Findings<'_>,
) {
    let name = |place: u16| name(&config.regions, usize::from(place));
    let mut allowed = String::new();
    for place in places {
        list(name(*place), &mut allowed);
    }
    if places.is_empty() {
        allowed.push_str("no region");
    }
    found.add(message!(
        "TENANT_RULES_FILE: the pin of {?} to {} is ignored{}: residency allows {}",
        pin,
        name(place),
        whom,
        &allowed
    ));
}
