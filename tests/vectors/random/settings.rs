//! Random configurations.

use crate::dice::Dice;
use crate::json;
use crate::setting::Setting;

/// Mostly a handful of regions, now and then as many as there can be.
pub(super) fn random_names(dice: &mut Dice) -> Vec<String> {
    const COUNTS: [usize; 24] = [
        1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 8, 8, 10, 16, 16, 31, 32, 33, 64, 100,
    ];
    let count = match dice.below(200) {
        0 => 1024,
        1 | 2 => 255 + dice.below(46),
        3..10 => 256,
        _ => *dice.pick(&COUNTS),
    };
    let random = dice.often(40);
    let mut names: Vec<String> = (0..count)
        .map(|place| {
            if random {
                random_name(dice, place)
            } else {
                format!("region-{place}")
            }
        })
        .collect();
    dice.shuffle(&mut names);
    names
}

/// Distinct, also by case, because the place is in it.
fn random_name(dice: &mut Dice, place: usize) -> String {
    const FIRST: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const LATER: &[u8] = b"ABCXYZabcxyz0123456789._-";
    let mut name = char::from(*dice.pick(FIRST)).to_string();
    for _ in 0..*dice.pick(&[0, 1, 3, 5, 8, 20, 57]) {
        name.push(char::from(*dice.pick(LATER)));
    }
    format!("{name}.{place}")
}

pub(super) fn random_setting(dice: &mut Dice, names: &[String], tenants: &[String]) -> Setting {
    const STICKY: [&str; 9] = [
        "hash",
        "hash",
        "Hash",
        "rendezvous",
        "rendezvous",
        "RENDEZVOUS",
        "primary",
        "",
        "sticky",
    ];
    const POLICIES: [&str; 9] = [
        "ordered",
        "ordered",
        "",
        "round_robin",
        "round_robin",
        "Round_Robin",
        "rendezvous",
        "Rendezvous",
        "random",
    ];
    let sticky = *dice.pick(&STICKY);
    let needs_primary = !["hash", "rendezvous"].contains(&sticky.to_lowercase().as_str());
    let primary = if needs_primary || dice.often(50) {
        dice.pick(names)
    } else {
        ""
    };
    let regions = names.join(*dice.pick(&[",", ",", " ,\t", ",,"]));
    let setting = Setting::new([
        ("REGIONS", regions.as_str()),
        ("REGION_WEIGHTS", &random_weights(dice, names)),
        ("PRIMARY_REGION", primary),
        ("TENANT_STICKY", sticky),
        ("FAILOVER_POLICY", *dice.pick(&POLICIES)),
        ("TENANT_HASH_KEY", &random_key(dice)),
    ]);
    match dice.often(60) {
        true => setting.with_rules(random_rules(dice, names, tenants)),
        false => setting,
    }
}

fn random_key(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => String::new(),
        1 => format!("{:016X}{:016X}", dice.next(), dice.next()),
        _ => format!("{:016x}{:016x}", dice.next(), dice.next()),
    }
}

/// None, one for all, small ones, any, or some named and the others left out.
fn random_weights(dice: &mut Dice, names: &[String]) -> String {
    let kind = dice.below(6);
    let all = *dice.pick(&[0, 1, 7, 65_535]);
    let mut pairs = Vec::new();
    for name in names {
        let weight = match kind {
            0 | 1 => continue,
            2 => all,
            3 => dice.below(4),
            4 => dice.below(65_536),
            _ if dice.often(50) => continue,
            _ => *dice.pick(&[0, 1, 2, 100, 65_535]),
        };
        pairs.push(format!("{name}{}{weight}", dice.pick(&["=", " = "])));
    }
    dice.shuffle(&mut pairs);
    pairs.join(",")
}

/// A list of each kind with patterns that fit some of the tenants, closer and less close ones.
fn random_rules(dice: &mut Dice, names: &[String], tenants: &[String]) -> String {
    let mut lists = Vec::new();
    for name in ["residency", "pins", "slots"] {
        if dice.often(30) {
            continue;
        }
        let mut rules = Vec::new();
        for pattern in random_patterns(dice, tenants) {
            let value = match name {
                "residency" => ("regions", json::texts(random_subset(dice, names))),
                "pins" => ("region", json::text(dice.pick(names).as_str())),
                _ => ("slot", json::text(dice.pick::<&str>(&["blue", "green"]))),
            };
            rules.push(json::object(&[("tenant", json::text(&pattern)), value]));
        }
        lists.push((name, json::list(rules)));
    }
    json::object(&lists)
}

fn random_patterns(dice: &mut Dice, tenants: &[String]) -> Vec<String> {
    let mut patterns = Vec::new();
    for _ in 0..dice.below(12) {
        // An id with a star is fitted by patterns, and cannot be one.
        let id = dice.pick(tenants).split('*').next().unwrap();
        let characters = id.chars().count();
        let literal: String = id.into();
        let beginning: String = id.chars().take(dice.below(characters.min(6) + 1)).collect();
        patterns.push(if dice.often(30) && !literal.is_empty() {
            literal
        } else {
            beginning + "*"
        });
    }
    patterns.sort();
    patterns.dedup();
    dice.shuffle(&mut patterns);
    patterns
}

/// Any number of regions in any order, none included.
fn random_subset(dice: &mut Dice, names: &[String]) -> Vec<String> {
    let percent = *dice.pick(&[0, 20, 50, 50, 80, 100]);
    let mut subset: Vec<String> = names
        .iter()
        .filter(|_| dice.often(percent))
        .cloned()
        .collect();
    if subset.is_empty() && dice.often(80) {
        subset.push(dice.pick(names).clone());
    }
    dice.shuffle(&mut subset);
    subset
}
