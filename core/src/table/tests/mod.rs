#![allow(
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod binary;
#[cfg(feature = "signatures")]
mod gate;
mod held;
mod in_place;
mod read;

use alloc::format;
use alloc::string::ToString;

use super::*;
use crate::config::RegionConfig;
use crate::placement::RegionStatus;
use crate::release::Release;
use crate::testing::WithFiles;

const NOW: Timestamp = Timestamp(1_759_397_400_000);

fn config() -> RegionConfig {
    let (config, problems) = RegionConfig::read(&WithFiles {
        table: &[
            ("PRIMARY_REGION", "us-east"),
            ("TENANT_STICKY", "rendezvous"),
            ("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f"),
            ("HALCYON_TOPOLOGY", "topology"),
            ("TENANT_RULES_FILE", "rules"),
        ],
        files: &[
            (
                "topology",
                r#"{"region":[{"name":"us-east","weight":2,"blue":"http://b:1","green":"http://g:1"},{"name":"us-west"}]}"#,
            ),
            (
                "rules",
                r#"{"residency":[{"tenant":"bank-*","regions":["us-west"]}],"pins":[{"tenant":"Zo\u00eb","region":"us-east"}],"slots":[{"tenant":"vip","slot":"blue"}]}"#,
            ),
        ],
    });
    assert_eq!(problems.errors, [""; 0]);
    config
}

#[test]
fn a_table_reads_like_this() {
    let content = TableContent::of(
        &config(),
        &Release::default(),
        &[RegionStatus::Down],
        "shop",
    );
    let json = Publisher::default()
        .publish(content, NOW)
        .unwrap()
        .json
        .clone();
    assert_eq!(
        json,
        concat!(
            r#"{"format":1,"epoch":1759397400000,"issued_at":"2025-10-02T09:30:00.000Z","deployment":"shop","#,
            r#""regions":[{"name":"us-east","weight":2,"status":"down","blue":"http://b:1","green":"http://g:1"},{"name":"us-west","weight":1,"status":"up"}],"#,
            r#""primary":"us-east","sticky":"rendezvous","failover":"ordered","hash_key":"000102030405060708090a0b0c0d0e0f","#,
            r#""rules":{"residency":[{"tenant":"bank-*","regions":["us-west"]}],"pins":[{"tenant":"Zo\u00eb","region":"us-east"}],"slots":[{"tenant":"vip","slot":"blue"}]}}"#,
        )
    );
}

#[test]
fn an_epoch_grows_by_the_clock_or_by_one_and_ends_at_2_to_the_53() {
    let after = |last, now| Epoch::after(Epoch::new(last), Timestamp(now)).map(Epoch::number);
    assert_eq!(after(0, 0), Some(1));
    assert_eq!(after(7, 5), Some(8), "the clock went back");
    assert_eq!(after(7, 100), Some(100));
    assert_eq!(after(Epoch::MAX.number() - 1, 0), Some(Epoch::MAX.number()));
    assert_eq!(after(Epoch::MAX.number(), u64::MAX), None);
    assert_eq!(after(1, u64::MAX), Some(Epoch::MAX.number()));
    assert_eq!((Epoch::new(0), Epoch::new(1 << 53)), (None, None));
    assert_eq!(format!("{:?}", Epoch::MAX), "Epoch(9007199254740991)");
}

#[test]
fn a_publisher_that_starts_again_issues_a_new_epoch_for_the_same_content() {
    let content = TableContent::of(&config(), &Release::default(), &[], "shop");
    let mut publisher = Publisher::default();
    let first = publisher.publish(content.clone(), NOW).unwrap().clone();
    let mut again = Publisher::after(Some(first.epoch));
    let second = again.publish(content, NOW).unwrap();
    assert_eq!(second.epoch.number(), first.epoch.number() + 1);
    assert_ne!(second.json, first.json);
    assert!(
        second.json.is_ascii() && !second.json.contains('\n'),
        "{}",
        second.json.to_string()
    );
}
