//! Law 15: a table's epoch grows with every change of routing, and equal epochs are equal bytes.

use std::collections::BTreeMap;

use halcyon_core::config::RegionConfig;
use halcyon_core::placement::RegionStatus;
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
