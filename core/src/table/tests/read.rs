//! A table's JSON: what it may say, and every problem of it at once.

use super::*;
use alloc::vec::Vec;

const WHOLE: &str = concat!(
    r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop","#,
    r#""regions":[{"name":"us-east","weight":2,"status":"up","blue":"http://b:1","green":"http://g:1"},{"name":"us-west","weight":1,"status":"down"}],"#,
    r#""primary":"us-east","sticky":"hash","failover":"ordered","hash_key":"000102030405060708090a0b0c0d0e0f","#,
    r#""rules":{"pins":[{"tenant":"acme","region":"us-west"}]},"release":{"id":"r1","state":"canary","weight":25,"valid_until":"2026-01-01T00:03:00Z"}}"#
);

/// The problems of the whole table after a change of its text.
#[track_caller]
fn problems(changes: &[(&str, &str)]) -> Vec<String> {
    let mut text = String::from(WHOLE);
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    match Table::from_json(&text) {
        Ok(_) => Vec::new(),
        Err(why) => {
            assert_eq!(why.to_string(), why.problems.join("; "));
            why.problems
        }
    }
}

#[test]
fn a_whole_table_is_read() {
    let table = Table::from_json(WHOLE).unwrap();
    assert_eq!((table.epoch().number(), table.deployment()), (7, "shop"));
    assert_eq!(table.health(), [RegionStatus::Up, RegionStatus::Down]);
    assert_eq!(table.router().weights(), [2, 1]);
    assert_eq!(table.pools[0], ["http://b:1", "http://g:1"]);
    assert_eq!(table.pools[1], ["", ""]);
}

#[test]
fn what_may_be_missing_may_be_missing() {
    for (from, to) in [
        (r#","hash_key":"000102030405060708090a0b0c0d0e0f""#, ""),
        (r#""primary":"us-east","#, ""),
        (r#","blue":"http://b:1","green":"http://g:1""#, ""),
        (
            r#""rules":{"pins":[{"tenant":"acme","region":"us-west"}]},"#,
            "",
        ),
        (r#","valid_until":"2026-01-01T00:03:00Z""#, ""),
    ] {
        assert_eq!(problems(&[(from, to)]), [""; 0], "{from}");
    }
    let release = &WHOLE[WHOLE.find(",\"release\"").unwrap()..WHOLE.len() - 1];
    assert_eq!(problems(&[(release, "")]), [""; 0]);
}

#[test]
fn a_greater_format_is_refused_and_nothing_else_is_said() {
    let changes = [
        ("\"format\":1", "\"format\":2,\"zone\":7"),
        ("\"epoch\":7", "\"epoch\":-7"),
    ];
    assert_eq!(
        problems(&changes),
        ["the table has format 2, which this version does not know; allowed: 1"]
    );
    assert_eq!(
        problems(&[("\"format\":1", "\"format\":0")]),
        ["the table has \"format\" = 0; allowed: 1"]
    );
}

#[test]
fn every_value_that_is_wrong_is_named_with_what_is_allowed() {
    for (from, to, says) in [
        (
            "\"epoch\":7",
            "\"epoch\":9007199254740992",
            "the table has \"epoch\" = 9007199254740992; allowed: whole numbers from 1 to 9007199254740991",
        ),
        (
            "\"epoch\":7,",
            "",
            "the table has no \"epoch\", which it must have",
        ),
        (
            "2026-01-01T00:00:00.000Z",
            "soon",
            "the table has a wrong \"issued_at\": \"soon\" is no RFC 3339 timestamp; allowed: such as 2026-01-01T12:00:00.000Z",
        ),
        (
            "\"deployment\":\"shop\",",
            "",
            "the table has no \"deployment\", which it must have",
        ),
        (
            "\"shop\"",
            "\"my shop\"",
            "the table has \"deployment\" = \"my shop\"; allowed: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
        ),
        (
            "\"weight\":2",
            "\"weight\":65536",
            "regions[0] has \"weight\" = 65536; allowed: whole numbers from 0 to 65535",
        ),
        (
            "\"up\"",
            "\"Up\"",
            "regions[0] has \"status\" = \"Up\"; allowed: up, down, draining, forbidden",
        ),
        (
            "\"name\":\"us-west\"",
            "\"name\":\"US-East\"",
            "regions[1] is \"US-East\" again (\"us-east\"); allowed: each region once",
        ),
        (
            "\"name\":\"us-west\"",
            "\"name\":\"us west\"",
            "regions[1] has a wrong name: \"us west\" is not a region name; allowed: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
        ),
        (
            "http://b:1",
            "tcp://b:1",
            "regions[0] has a wrong \"blue\": \"tcp://b:1\" is not HTTP; allowed: http://host[:port][/path], https://host[:port][/path]",
        ),
        (
            "\"primary\":\"us-east\"",
            "\"primary\":\"mars\"",
            "the table has \"primary\" = \"mars\"; allowed: us-east, us-west",
        ),
        (
            "\"sticky\":\"hash\"",
            "\"sticky\":\"Hash\"",
            "the table has \"sticky\" = \"Hash\"; allowed: primary, hash, rendezvous",
        ),
        (
            "\"ordered\"",
            "\"nearest\"",
            "the table has \"failover\" = \"nearest\"; allowed: ordered, round_robin, rendezvous",
        ),
        (
            "0c0d0e0f",
            "0c0d0e0",
            "the table has a wrong \"hash_key\": (not shown, 31 bytes) is not a key; allowed: exactly 32 hex digits",
        ),
        (
            "\"region\":\"us-west\"",
            "\"region\":\"mars\"",
            "rules: pins[0] has a wrong region: \"mars\" is not in REGIONS; allowed: us-east, us-west",
        ),
        (
            "\"weight\":25",
            "\"weight\":101",
            "release has \"weight\" = 101; allowed: whole numbers from 0 to 100",
        ),
        (
            "\"canary\"",
            "\"green_live\"",
            "release has a \"valid_until\"; allowed: in state canary alone",
        ),
        (
            "\"id\":\"r1\"",
            "\"id\":\"\"",
            "release has \"id\" = \"\"; allowed: the release's id",
        ),
        (
            "\"deployment\"",
            "\"deploymant\":1,\"deployment\"",
            "the table has the unknown key \"deploymant\"; did you mean \"deployment\"? allowed: format, epoch, issued_at, deployment, regions, primary, sticky, failover, hash_key, rules, release",
        ),
    ] {
        assert_eq!(problems(&[(from, to)]), [says], "{from}");
    }
}

#[test]
fn where_tenants_go_to_the_primary_there_must_be_one() {
    let changes = [
        ("\"hash\"", "\"primary\""),
        ("\"primary\":\"us-east\",", ""),
    ];
    assert_eq!(
        problems(&changes),
        ["the table has no \"primary\", which it must have where \"sticky\" is primary"]
    );
}

#[test]
fn a_table_has_1_to_1024_regions() {
    let of = |count: usize| {
        let region = |place| format!(r#"{{"name":"r{place}","weight":1,"status":"up"}}"#);
        let regions: Vec<String> = (0..count).map(region).collect();
        let begin = WHOLE.find("\"regions\":").unwrap();
        let end = WHOLE.find(",\"sticky\"").unwrap();
        let regions = format!("\"regions\":[{}]", regions.join(","));
        let text = [&WHOLE[..begin], &regions, &WHOLE[end..]].concat();
        let text = text.replace(
            r#""rules":{"pins":[{"tenant":"acme","region":"us-west"}]},"#,
            "",
        );
        Table::from_json(&text).map_err(|why| why.problems)
    };
    assert!(of(1).is_ok() && of(1024).is_ok());
    assert_eq!(
        of(0).unwrap_err(),
        ["the table has 0 regions; allowed: 1 to 1024"]
    );
    assert_eq!(
        of(1025).unwrap_err(),
        ["the table has 1025 regions; allowed: 1 to 1024"]
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let changes = [
        ("\"epoch\":7", "\"epoch\":0"),
        ("\"status\":\"down\"", "\"status\":1"),
        ("\"hash\"", "\"sticky\""),
        ("\"weight\":25", "\"weight\":\"25\""),
        ("\"deployment\":\"shop\"", "\"deployment\":null"),
    ];
    assert_eq!(problems(&changes).len(), 5);
    for no_table in ["", "7", "[]", "{}", "{\"format\":1}", "null"] {
        assert!(
            !Table::from_json(no_table).unwrap_err().problems.is_empty(),
            "{no_table}"
        );
    }
}

#[test]
fn what_a_publisher_writes_is_read_back() {
    let content = TableContent::of(
        &config(),
        &Release::default(),
        &[RegionStatus::Draining],
        "shop",
    );
    let mut publisher = Publisher::default();
    let published = publisher.publish(content, NOW).unwrap();
    let table = Table::from_json(&published.json).unwrap();
    assert_eq!(table.epoch(), published.epoch);
    assert_eq!(table.health(), [RegionStatus::Draining, RegionStatus::Up]);
    assert_eq!(table.router().rules(), &config().rules);
}
