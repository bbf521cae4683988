//! Law 15: a table's epoch grows with every change of routing, and equal epochs are equal bytes.

use std::collections::BTreeMap;

use halcyon_core::config::{Environment, RegionConfig};
use halcyon_core::document::Document;
use halcyon_core::placement::RegionStatus;
use halcyon_core::release::{Command, Release};
use halcyon_core::role::Actor;
use halcyon_core::table::{Publisher, TableContent};
use halcyon_core::time::Timestamp;
use proptest::prelude::*;

use crate::world::{Turn, World, histories};

/// What may change a table, or its epoch, or neither.
#[derive(Debug, Clone)]
enum Change {
    Release(Vec<Turn>),
    Health(Vec<RegionStatus>),
    Weight(u16),
    /// The clock goes anywhere, back too.
    Clock(u64),
    /// The process starts again and knows nothing but the last epoch.
    Restart,
    Nothing,
}

fn changes() -> impl Strategy<Value = Change> {
    let statuses = proptest::sample::select(RegionStatus::ALL.to_vec());
    prop_oneof![
        3 => histories(4).prop_map(Change::Release),
        3 => proptest::collection::vec(statuses, 3).prop_map(Change::Health),
        1 => (0_u16..3).prop_map(Change::Weight),
        1 => (0_u64..1 << 50).prop_map(Change::Clock),
        1 => Just(Change::Restart),
        2 => Just(Change::Nothing),
    ]
}

fn config(weight: u16) -> RegionConfig {
    RegionConfig::read(&|name: &str| match name {
        "REGIONS" => Some("us-east,us-west,eu-west".into()),
        "REGION_WEIGHTS" => Some(format!("us-east={weight}")),
        _ => None,
    })
    .0
}

proptest! {
    #[test]
    fn the_epoch_grows_with_every_change_and_equal_epochs_are_byte_equal(changes in proptest::collection::vec(changes(), 1..30)) {
        let (mut world, mut publisher) = (World::default(), Publisher::default());
        let (mut health, mut weight, mut now) = (vec![], 1, Timestamp(1_759_397_400_000));
        let mut published: BTreeMap<u64, String> = BTreeMap::new();
        let mut before: Option<(TableContent, u64)> = None;
        for change in changes {
            let restarted = matches!(change, Change::Restart);
            match change {
                Change::Release(turns) => turns.iter().for_each(|turn| {
                    world.play(turn);
                }),
                Change::Health(statuses) => health = statuses,
                Change::Weight(other) => weight = other,
                Change::Clock(at) => now = Timestamp(at),
                Change::Restart => {
                    let last = published.keys().next_back().copied();
                    publisher = Publisher::after(last.and_then(halcyon_core::table::Epoch::new));
                }
                Change::Nothing => {}
            }
            let content = TableContent::of(&config(weight), world.release(), &health, "default");
            let table = publisher.publish(content.clone(), now).unwrap().clone();
            let epoch = table.epoch.number();
            if let Some((last, last_epoch)) = &before {
                let same = *last == content && !restarted;
                prop_assert_eq!(epoch == *last_epoch, same);
                prop_assert!(epoch >= *last_epoch);
            }
            prop_assert_eq!(published.entry(epoch).or_insert(table.json.clone()), &table.json);
            let begins = format!("{{\"format\":1,\"epoch\":{epoch},");
            prop_assert!(table.json.starts_with(&begins));
            before = Some((content, epoch));
        }
    }
}

/// Variables, and what the two files hold.
struct Files<'f>(&'f [(&'f str, &'f str)]);

impl Environment for Files<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let base = [
            ("REGIONS", "us-east,us-west,eu-west"),
            ("PRIMARY_REGION", "us-east"),
            ("TENANT_RULES_FILE", "{}"),
            (
                "HALCYON_TOPOLOGY",
                r#"{"region":[{"name":"us-east","blue":"http://b:1","green":"http://g:1"}]}"#,
            ),
        ];
        let mut all = self.0.iter().chain(&base);
        all.find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).into())
    }

    /// The variable holds the file itself.
    fn document(&self, _: &str, text: &str) -> Result<Document, String> {
        Document::from_json(text)
    }
}

/// A release after these commands.
fn release(commands: &[Command]) -> Release {
    let mut world = World::default();
    let admin = Actor {
        user: "ann".into(),
        role: "Admin".into(),
    };
    for command in commands {
        world.give(&admin, false, command).unwrap();
    }
    world.release().clone()
}

/// Tables that differ in one thing that routing looks at, each with its name.
fn tables_one_change_apart() -> Vec<(&'static str, TableContent)> {
    use RegionStatus::{Down, Draining, Forbidden, Up};
    let begin = |image: &str| Command::ProvisionGreen {
        image: image.into(),
        blue_image: None,
        plan: None,
    };
    let rollback = Command::RollbackToBlue {
        reason: "sick".into(),
    };
    let canary = [begin("v2"), Command::StartCanary { weight: 10 }];
    let live = [&canary[..], &[Command::PromoteGreen]].concat();
    let table = |variables: &[(&str, &str)],
                 commands: &[Command],
                 health: &[RegionStatus],
                 deployment: &str| {
        let (config, problems) = RegionConfig::read(&Files(variables));
        assert_eq!(problems.errors, [""; 0]);
        TableContent::of(&config, &release(commands), health, deployment)
    };
    let mut tables = vec![
        ("nothing", table(&[], &[], &[], "default")),
        ("another deployment", table(&[], &[], &[], "shop")),
        ("down", table(&[], &[], &[Up, Down], "default")),
        ("draining", table(&[], &[], &[Up, Draining], "default")),
        ("forbidden", table(&[], &[], &[Up, Forbidden], "default")),
        ("provisioned", table(&[], &canary[..1], &[], "default")),
        ("a canary", table(&[], &canary, &[], "default")),
        (
            "a greater canary",
            table(
                &[],
                &[&canary[..], &[Command::IncreaseWeight { weight: 11 }]].concat(),
                &[],
                "default",
            ),
        ),
        ("promoted", table(&[], &live, &[], "default")),
        (
            "rolled back",
            table(&[], &[&canary[..], &[rollback]].concat(), &[], "default"),
        ),
        (
            "another release, the roles swapped",
            table(&[], &[&live[..], &[begin("v3")]].concat(), &[], "default"),
        ),
    ];
    for (what, variable, value) in [
        ("a region fewer", "REGIONS", "us-east,us-west"),
        (
            "a region more",
            "REGIONS",
            "us-east,us-west,eu-west,eu-central",
        ),
        ("another order", "REGIONS", "us-west,us-east,eu-west"),
        ("another primary", "PRIMARY_REGION", "us-west"),
        ("a weight", "REGION_WEIGHTS", "eu-west=2"),
        ("by hash", "TENANT_STICKY", "hash"),
        ("by rendezvous", "TENANT_STICKY", "rendezvous"),
        ("round robin", "FAILOVER_POLICY", "round_robin"),
        ("rendezvous", "FAILOVER_POLICY", "rendezvous"),
        (
            "a key",
            "TENANT_HASH_KEY",
            "000102030405060708090a0b0c0d0e0f",
        ),
        (
            "a residency",
            "TENANT_RULES_FILE",
            r#"{"residency":[{"tenant":"a","regions":["us-west"]}]}"#,
        ),
        (
            "a wider residency",
            "TENANT_RULES_FILE",
            r#"{"residency":[{"tenant":"a","regions":["us-west","eu-west"]}]}"#,
        ),
        (
            "a pattern",
            "TENANT_RULES_FILE",
            r#"{"residency":[{"tenant":"a*","regions":["us-west"]}]}"#,
        ),
        (
            "a pin",
            "TENANT_RULES_FILE",
            r#"{"pins":[{"tenant":"a","region":"us-west"}]}"#,
        ),
        (
            "a slot",
            "TENANT_RULES_FILE",
            r#"{"slots":[{"tenant":"a","slot":"green"}]}"#,
        ),
        (
            "the other slot",
            "TENANT_RULES_FILE",
            r#"{"slots":[{"tenant":"a","slot":"blue"}]}"#,
        ),
        (
            "another pool",
            "HALCYON_TOPOLOGY",
            r#"{"region":[{"name":"us-east","blue":"http://b:2","green":"http://g:1"}]}"#,
        ),
    ] {
        tables.push((what, table(&[(variable, value)], &[], &[], "default")));
    }
    tables
}

#[test]
fn every_change_of_routing_between_any_two_tables_is_a_new_epoch_with_other_bytes() {
    let tables = tables_one_change_apart();
    for (before, one) in &tables {
        for (after, other) in tables.iter().filter(|(after, _)| after != before) {
            let mut publisher = Publisher::default();
            // The clock goes back as far as it can.
            let published = [one, other, other, one].map(|content| {
                let table = publisher.publish(content.clone(), Timestamp(5)).unwrap();
                (table.epoch, table.json.clone())
            });
            assert!(published[0].0 < published[1].0, "{before} to {after}");
            assert_eq!(published[1], published[2], "{after} twice");
            assert!(published[2].0 < published[3].0, "{after} back to {before}");
            let without_epoch = |json: &String| {
                json.split_once("issued_at")
                    .map(|(_, rest)| rest.to_owned())
            };
            let same = without_epoch(&published[0].1) == without_epoch(&published[1].1);
            assert!(!same, "{before} and {after} are the same bytes");
        }
    }
}

#[test]
fn a_tables_addresses_are_those_of_the_role_not_of_the_place() {
    let begin = |image: &str| Command::ProvisionGreen {
        image: image.into(),
        blue_image: None,
        plan: None,
    };
    let once = [
        begin("v2"),
        Command::StartCanary { weight: 10 },
        Command::PromoteGreen,
    ];
    let twice = [&once[..], &[begin("v3")]].concat();
    let config = RegionConfig::read(&Files(&[])).0;
    for (commands, blue, green) in [
        (&[][..], "http://b:1", "http://g:1"),
        (&once, "http://b:1", "http://g:1"),
        (&twice, "http://g:1", "http://b:1"),
    ] {
        let content = TableContent::of(&config, &release(commands), &[], "default");
        let mut publisher = Publisher::default();
        let json = &publisher.publish(content, Timestamp(5)).unwrap().json;
        let expected = format!(r#""blue":"{blue}","green":"{green}""#);
        assert!(json.contains(&expected), "{json}");
    }
}

#[test]
fn what_routing_does_not_look_at_is_no_new_epoch() {
    let begin = Command::ProvisionGreen {
        image: "v2".into(),
        blue_image: None,
        plan: None,
    };
    let pause = Command::Pause {
        reason: "lunch".into(),
    };
    let detach = Command::DetachDriver {
        reason: "gone".into(),
    };
    let config = RegionConfig::read(&Files(&[])).0;
    let mut publisher = Publisher::default();
    let epochs = [vec![], vec![pause], vec![detach, Command::AttachDriver]].map(|more| {
        let release = release(&[vec![begin.clone()], more].concat());
        let content = TableContent::of(&config, &release, &[], "default");
        publisher.publish(content, Timestamp(5)).unwrap().epoch
    });
    assert_eq!(epochs, [epochs[0]; 3]);
}
