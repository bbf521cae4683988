//! What an edge decides by a table, and which table it takes next.

use super::*;
use crate::hash::TenantId;
use crate::placement::{Reason, Slot};

fn table(epoch: u64, deployment: &str, weight: u8, until: &str) -> Table {
    let text = format!(
        r#"{{"format":1,"epoch":{epoch},"issued_at":"2026-01-01T00:00:00Z","deployment":"{deployment}",
        "regions":[{{"name":"us-east","weight":1,"status":"down"}},{{"name":"us-west","weight":1,"status":"up"}}],
        "primary":"us-east","sticky":"primary","failover":"ordered",
        "release":{{"id":"r1","state":"canary","weight":{weight}{until}}}}}"#
    );
    Table::from_json(&text).unwrap()
}

#[test]
fn a_canary_holds_to_the_millisecond_and_then_all_is_blue() {
    let until = r#","valid_until":"1970-01-01T00:00:01Z""#;
    let slot = |table: &Table, now| {
        let found = table
            .route(TenantId::new("acme").unwrap(), Timestamp(now))
            .unwrap();
        assert_eq!(
            (found.region.as_str(), found.reason),
            ("us-west", Reason::Failover)
        );
        found.slot
    };
    let limited = table(1, "shop", 100, until);
    assert_eq!(
        (slot(&limited, 0), slot(&limited, 1000)),
        (Slot::Green, Slot::Green)
    );
    assert_eq!(slot(&limited, 1001), Slot::Blue);
    assert_eq!(slot(&table(1, "shop", 100, ""), u64::MAX), Slot::Green);
    assert_eq!(slot(&table(1, "shop", 0, until), 0), Slot::Blue);
}

#[test]
fn an_edge_takes_newer_tables_of_its_deployment_alone() {
    let held = table(7, "shop", 10, "");
    let may = |offered: &Table, held| offered.may_follow(held, Timestamp(0));
    assert_eq!(may(&held, None), Ok(()));
    assert_eq!(may(&held, Some(&held)), Ok(()), "the very one");
    assert_eq!(may(&table(8, "shop", 11, ""), Some(&held)), Ok(()));
    for (offered, says) in [
        (
            table(6, "shop", 11, ""),
            "table of epoch 6: older than epoch 7, which is held; allowed: a greater epoch",
        ),
        (
            table(7, "shop", 11, ""),
            "table of epoch 7: another table of that epoch is held; allowed: a greater epoch",
        ),
        (
            table(8, "shop2", 10, ""),
            "table of deployment \"shop2\": allowed: \"shop\", whose table is held",
        ),
    ] {
        assert_eq!(may(&offered, Some(&held)).unwrap_err().to_string(), says);
    }
}

#[test]
fn an_epoch_may_be_a_day_ahead_of_the_clock_and_no_more() {
    let day = 86_400_000;
    let ahead = table(day + 5, "shop", 10, "");
    assert_eq!(ahead.may_follow(None, Timestamp(5)), Ok(()));
    let why = ahead.may_follow(None, Timestamp(4)).unwrap_err();
    assert_eq!(
        why.to_string(),
        "table of epoch 86400005: more than a day ahead of the clock; allowed: up to 86400004"
    );
}
