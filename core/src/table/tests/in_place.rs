//! A table that decides in its bytes: it is one exactly where it is read as one, and answers the same.

use super::*;
use crate::hash::{HashKey, TenantId, fmix64};
use crate::region::REGIONS_MAX;
use alloc::vec::Vec;

/// Numbers that look random, the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        (fmix64(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)) % most as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Ids and beginnings that are near each other.
const TEXTS: [&str; 12] = [
    "a",
    "ab",
    "aba",
    "abab",
    "b",
    "bank-",
    "bank-7",
    "bank-70",
    "z",
    "Zo\u{eb}",
    "Zo\u{eb}-",
    "\u{1f426}",
];

fn rules(dice: &mut Dice, member: impl Fn(&mut Dice) -> String) -> String {
    let mut rules = Vec::new();
    for text in TEXTS.iter().chain(&[""]) {
        for star in ["", "*"] {
            if dice.below(4) == 0 && !(text.is_empty() && star.is_empty()) {
                let member = member(dice);
                rules.push(format!(r#"{{"tenant":"{text}{star}",{member}}}"#));
            }
        }
    }
    rules.join(",")
}

fn random_table(dice: &mut Dice) -> Table {
    let count = 1 + dice.below(6);
    let names = ["us-east", "US-West", "eu", "ap-1", "ap-10", "Z"];
    let region = |dice: &mut Dice, name: &str| {
        let weight = [0, 1, 1, 2, 65535][dice.below(5)];
        let status = dice.pick(&["up", "up", "up", "down", "draining", "forbidden"]);
        format!(r#"{{"name":"{name}","weight":{weight},"status":"{status}","blue":"http://b:1"}}"#)
    };
    let first = dice.below(6);
    let here: Vec<&str> = (0..count).map(|place| names[(first + place) % 6]).collect();
    let regions: Vec<String> = here.iter().map(|name| region(dice, name)).collect();
    let residency = rules(dice, |dice| {
        let some = here.iter().filter(|_| dice.below(2) == 0);
        let some: Vec<String> = some.map(|name| format!("\"{name}\"")).collect();
        format!("\"regions\":[{}]", some.join(","))
    });
    let pins = rules(dice, |dice| format!("\"region\":\"{}\"", dice.pick(&here)));
    let slots = rules(dice, |dice| {
        format!("\"slot\":\"{}\"", dice.pick(&["blue", "green"]))
    });
    let rules = match dice.below(3) {
        0 => String::new(),
        _ => format!(r#""rules":{{"residency":[{residency}],"pins":[{pins}],"slots":[{slots}]}},"#),
    };
    let state = dice.pick(&["idle", "green_provisioned", "canary", "green_live"]);
    let until = match (state, dice.below(2)) {
        ("canary", 0) => r#","valid_until":"1970-01-01T00:00:01Z""#,
        _ => "",
    };
    let (sticky, failover, primary) = (
        dice.pick(&["primary", "hash", "rendezvous"]),
        dice.pick(&["ordered", "round_robin", "rendezvous"]),
        dice.pick(&here),
    );
    let weight = dice.below(101);
    let text = format!(
        r#"{{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00Z","deployment":"shop","regions":[{}],
        "primary":"{primary}","sticky":"{sticky}","failover":"{failover}",{rules}
        "hash_key":"{:032x}","release":{{"id":"r1","state":"{state}","weight":{weight}{until}}}}}"#,
        regions.join(","),
        dice.below(3),
    );
    Table::from_json(&text).unwrap()
}

fn ids() -> Vec<String> {
    let near = TEXTS
        .iter()
        .flat_map(|text| ["", "-", "a", "7", "~"].map(|behind| format!("{text}{behind}")));
    near.chain((0..20).map(|n| format!("tenant{n}"))).collect()
}

/// Compares every answer.
#[track_caller]
fn decide_alike(table: &Table, index: &TableIndex, bytes: &[u8]) {
    let names: Vec<&str> = table
        .router()
        .regions()
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(index.len(), names.len());
    assert_eq!(index.epoch(), table.epoch());
    assert_eq!(index.deployment(bytes), table.deployment());
    for (place, name) in names.iter().enumerate() {
        assert_eq!(index.name(bytes, place), Some(*name));
    }
    assert_eq!(index.name(bytes, names.len()), None);
    for id in ids() {
        let tenant = TenantId::new(&id).unwrap();
        for now in [0, 1000, 1001, u64::MAX].map(Timestamp) {
            let native = table
                .router()
                .decide(tenant, table.health(), table.slots(now));
            assert_eq!(index.decide(bytes, tenant, now), native, "{id} {now:?}");
        }
    }
}

fn reseal(bytes: &mut [u8]) {
    let content = bytes.len() - 8;
    let sum = HashKey::default().sip13(&bytes[..content]);
    bytes[content..].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn random_tables_decide_in_their_bytes_as_they_do_when_read() {
    let mut dice = Dice(1);
    for _ in 0..300 {
        let bytes = random_table(&mut dice).to_binary();
        let table = Table::from_binary(&bytes).unwrap();
        assert_eq!(table.to_binary(), bytes);
        decide_alike(&table, &TableIndex::read(&bytes).unwrap(), &bytes);
    }
}

/// Whatever stands in them, whoever made the checksum.
#[test]
fn damaged_bytes_are_refused_by_both_ways_to_read_them_or_by_none() {
    let mut dice = Dice(1_000_000);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..60 {
        let good = random_table(&mut dice).to_binary();
        for _ in 0..100 {
            let mut bytes = good.clone();
            for _ in 0..=dice.below(3) {
                let at = dice.below(bytes.len());
                bytes[at] = match dice.below(3) {
                    0 => dice.below(256) as u8,
                    1 => dice.below(4) as u8,
                    _ => bytes[at] ^ (1 << dice.below(8)),
                };
            }
            if dice.below(10) == 0 {
                bytes.truncate(dice.below(bytes.len()));
            }
            if bytes.len() >= 16 && dice.below(10) > 0 {
                reseal(&mut bytes);
            }
            let index = TableIndex::read(&bytes);
            match Table::from_binary(&bytes) {
                Ok(table) => {
                    taken += 1;
                    assert_eq!(table.to_binary(), bytes, "one table is one row of bytes");
                    decide_alike(&table, &index.unwrap(), &bytes);
                }
                Err(why) => {
                    refused += 1;
                    assert_eq!(index.unwrap_err(), why);
                }
            }
        }
    }
    assert!(taken > 500 && refused > 500, "{taken} {refused}");
}

/// The bytes of a table of regions `a` and `b` and these six lists, each with the texts and values of its
/// rules.
fn with_lists(lists: [&[(&[u8], &[u16])]; 6]) -> Vec<u8> {
    with_names(&["a", "b"], lists)
}

fn with_names(names: &[&str], lists: [&[(&[u8], &[u16])]; 6]) -> Vec<u8> {
    let mut bytes = [
        &b"halcyon\x01"[..],
        &7_u64.to_le_bytes(),
        &[0xff; 8],
        &[0; 16],
    ]
    .concat();
    bytes.extend_from_slice(&[1, 0, 0xff, 0xff, 0, 0]);
    let text = |bytes: &mut Vec<u8>, text: &[u8]| {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text);
    };
    text(&mut bytes, b"");
    text(&mut bytes, b"shop");
    bytes.extend_from_slice(&(names.len() as u32).to_le_bytes());
    for name in names {
        bytes.extend_from_slice(&[1, 0, 0]);
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, b"");
        text(&mut bytes, b"");
    }
    for list in lists {
        bytes.extend_from_slice(&(list.len() as u32).to_le_bytes());
        let mut rules = Vec::new();
        let begin = bytes.len() + 4 * list.len();
        for (pattern, values) in list {
            bytes.extend_from_slice(&((begin + rules.len()) as u32).to_le_bytes());
            text(&mut rules, pattern);
            values
                .iter()
                .for_each(|value| rules.extend_from_slice(&value.to_le_bytes()));
        }
        bytes.extend_from_slice(&rules);
    }
    bytes.extend_from_slice(&[0; 8]);
    reseal(&mut bytes);
    bytes
}

#[track_caller]
fn both(bytes: &[u8]) -> Option<BinaryError> {
    let index = TableIndex::read(bytes).err();
    assert_eq!(Table::from_binary(bytes).err(), index);
    index
}

/// Of a table with rules in one list.
#[track_caller]
fn list(place: usize, rules: &[(&[u8], &[u16])]) -> Option<BinaryError> {
    let mut lists: [&[(&[u8], &[u16])]; 6] = [&[]; 6];
    lists[place] = rules;
    both(&with_lists(lists))
}

#[test]
fn rules_are_literals_and_beginnings_in_the_order_of_their_bytes_with_values_that_are_allowed() {
    let long = [b'x'; 16_384];
    let longer = [b'x'; 16_385];
    let refused = Some(BinaryError::Malformed);
    assert_eq!(both(&with_lists([&[]; 6])), None);
    for place in 0..6 {
        let value: &[u16] = if place < 2 { &[1, 1] } else { &[1] };
        let exact = place % 2 == 0;
        assert_eq!(list(place, &[(b"a", value)]), None);
        assert_eq!(
            list(place, &[(b"A", value), (b"a", value), (b"aa", value)]),
            None
        );
        assert_eq!(list(place, &[(&long, value)]), None);
        let empty = list(place, &[(b"", value)]);
        assert_eq!(empty, if exact { refused } else { None }, "{place}");
        for bad in [
            &[(&b"a"[..], value), (b"a", value)][..],
            &[(b"b", value), (b"a", value)],
            &[(b"aa", value), (b"a", value)],
            &[(&longer, value)],
            &[(b"a*", value)],
            &[(b"*", value)],
            &[(b"\xff", value)],
            &[(b"a\xc3", value)],
        ] {
            assert_eq!(list(place, bad), refused, "{place} {bad:.80?}");
        }
    }
    for (place, values) in [
        (0, &[0][..]),
        (1, &[2, 0, 1]),
        (2, &[0]),
        (3, &[1]),
        (4, &[0]),
        (5, &[1]),
    ] {
        assert_eq!(list(place, &[(b"a", values)]), None, "{place} {values:?}");
    }
    for (place, values) in [
        (0, &[1, 2][..]),
        (0, &[2, 1, 0]),
        (0, &[2, 1, 1]),
        (1, &[3, 0, 1, 2]),
        (1, &[1]),
        (2, &[2]),
        (3, &[u16::MAX]),
        (4, &[2]),
        (5, &[256]),
        (5, &[]),
    ] {
        assert_eq!(
            list(place, &[(b"a", values)]),
            refused,
            "{place} {values:?}"
        );
    }
}

#[test]
fn an_offset_that_is_not_where_its_rule_is_is_refused() {
    let two: &[(&[u8], &[u16])] = &[(b"a", &[0]), (b"b", &[1])];
    let good = with_lists([&[], &[], two, &[], &[], &[]]);
    assert_eq!(both(&good), None);
    // Behind two empty lists and the count; the lists behind it and the checksum take 20 bytes.
    let first = good.len() - 20 - 2 * 7 - 8;
    for at in [first, first + 4] {
        for by in [1, 7, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= by;
            reseal(&mut bytes);
            assert_eq!(both(&bytes), Some(BinaryError::Malformed), "{at} {by}");
        }
    }
}

#[test]
fn two_names_that_differ_by_case_alone_are_refused_wherever_they_stand() {
    let none: [&[(&[u8], &[u16])]; 6] = [&[]; 6];
    let names = |names: &[&str]| both(&with_names(names, none));
    let refused = Some(BinaryError::Malformed);
    assert_eq!(names(&["a", "B", "c", "A1", "a-1"]), None);
    for bad in [
        &["a", "a"][..],
        &["a", "A"],
        &["A", "B", "C", "a"],
        &["b", "A", "c", "a", "d"],
        &["us-east", "us-west", "US-EAST"],
        &["a b"],
        &[""],
    ] {
        assert_eq!(names(bad), refused, "{bad:?}");
    }
    let many: Vec<String> = (0..=REGIONS_MAX)
        .map(|n| format!("R{:04}", n * 7 % 1031))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(names(&many[..REGIONS_MAX]), None);
    assert_eq!(names(&many), refused, "one too many");
    let mut twice = many[..REGIONS_MAX].to_vec();
    twice[REGIONS_MAX - 1] = "r0007";
    assert_eq!(names(&twice), refused);
}

#[test]
fn a_thousand_regions_of_any_weights_and_names_decide_alike() {
    let names = |n: usize| format!("{}{n}", ["r", "R", "x-"][n % 3]);
    let regions: Vec<String> = (0..REGIONS_MAX)
        .map(|n| {
            let status = ["up", "down", "draining"][n % 3];
            format!(
                r#"{{"name":"{}","weight":{},"status":"{status}"}}"#,
                names(n * 389 % 1024),
                n % 4
            )
        })
        .collect();
    for sticky in ["hash", "rendezvous"] {
        let text = format!(
            r#"{{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00Z","deployment":"shop","regions":[{}],
            "sticky":"{sticky}","failover":"rendezvous"}}"#,
            regions.join(",")
        );
        let table = Table::from_json(&text).unwrap();
        let bytes = table.to_binary();
        decide_alike(&table, &TableIndex::read(&bytes).unwrap(), &bytes);
    }
}

/// Each text takes a byte of the id away: as far as looking for a beginning can be led astray.
#[test]
fn the_longest_beginning_is_found_among_texts_that_are_almost_one() {
    let texts: Vec<Vec<u8>> = (1..300)
        .map(|n| [&[b'b'; 299][..n], b"a"].concat())
        .collect();
    let mut rules: Vec<(&[u8], &[u16])> =
        texts.iter().map(|text| (&text[..], &[1_u16][..])).collect();
    rules.push((b"b", &[0]));
    rules.sort_unstable();
    let bytes = with_lists([&[], &[], &[], &rules, &[], &[]]);
    let table = Table::from_binary(&bytes).unwrap();
    let index = TableIndex::read(&bytes).unwrap();
    for id in [
        "b".repeat(400),
        "b".repeat(299),
        "b".repeat(150) + "a0",
        "a".into(),
        "b".into(),
    ] {
        let tenant = TenantId::new(&id).unwrap();
        let native = table
            .router()
            .decide(tenant, table.health(), table.slots(NOW));
        assert_eq!(index.decide(&bytes, tenant, NOW), native, "{id}");
    }
}

#[test]
fn no_bytes_make_deciding_panic_even_those_of_another_table() {
    let mut dice = Dice(77);
    let tables: Vec<Vec<u8>> = (0..40)
        .map(|_| random_table(&mut dice).to_binary())
        .collect();
    for one in &tables {
        let index = TableIndex::read(one).unwrap();
        for other in &tables {
            for id in ids() {
                let _ = index.decide(other, TenantId::new(&id).unwrap(), NOW);
            }
        }
    }
}

#[test]
fn which_table_may_follow_is_said_the_same_of_bytes() {
    let of = |epoch: u64, deployment: &str| {
        let text = format!(
            r#"{{"format":1,"epoch":{epoch},"issued_at":"2026-01-01T00:00:00Z","deployment":"{deployment}",
            "regions":[{{"name":"us-east","weight":1,"status":"up"}}],"sticky":"hash","failover":"ordered"}}"#
        );
        Table::from_json(&text).unwrap().to_binary()
    };
    let read = |bytes: &[u8]| TableIndex::read(bytes).unwrap();
    let held = of(7, "shop");
    for (seen, expected) in [
        (of(8, "shop"), Succession::Newer),
        (of(7, "shop"), Succession::SameEpoch),
        (of(6, "shop"), Succession::Older),
        (of(8, "shop2"), Succession::OtherDeployment),
        (of(6, "shop2"), Succession::OtherDeployment),
    ] {
        let found = read(&seen).succession(&seen, &read(&held), &held);
        assert_eq!(found, expected);
    }
    assert!(TableIndex::NONE.is_empty() && !read(&held).is_empty());
}
