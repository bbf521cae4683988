//! Whatever happened, the journal says it, and says it unforgeably.

use halcyon_core::ledger::{GENESIS, Ledger};
use halcyon_core::release::{Command, Event};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use proptest::prelude::*;

use crate::world::{World, histories};

fn read(journal: &str) -> Ledger {
    let mut ledger = Ledger::default();
    for line in journal.lines() {
        ledger.accept(line.as_bytes()).unwrap();
    }
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_reads_back_to_the_same_state(history in histories(40)) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        let ledger = read(&world.journal);
        prop_assert_eq!(&ledger, &world.ledger);
        prop_assert_eq!(ledger.head().seq as usize, world.facts.len());
        prop_assert!(world.journal.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
    }

    #[test]
    fn numbers_are_contiguous_and_every_line_names_the_one_before(history in histories(40)) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        let (mut ledger, mut before) = (Ledger::default(), GENESIS.to_string());
        for (number, line) in world.journal.lines().enumerate() {
            let record = ledger.accept(line.as_bytes()).unwrap();
            prop_assert_eq!(record.seq, number as u64 + 1);
            prop_assert_eq!(&record.prev_hash, &before);
            before = ledger.head().hash.clone();
        }
    }

    #[test]
    fn a_byte_changed_anywhere_is_found(history in histories(12), at in any::<proptest::sample::Index>(), to in any::<u8>()) {
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        prop_assume!(!world.journal.is_empty());
        let mut bytes = world.journal.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let mut ledger = Ledger::default();
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let (torn, whole) = lines.split_last().unwrap();
        let accepted = whole.iter().all(|line| ledger.accept(line).is_ok());
        prop_assert!(!accepted || !torn.is_empty());
    }

    #[test]
    fn no_bytes_make_verification_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in any::<String>()) {
        let mut ledger = Ledger::default();
        prop_assert!(ledger.accept(&bytes).is_err());
        prop_assert!(ledger.accept(text.as_bytes()).is_err());
        prop_assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn any_text_is_one_line_that_reads_back_equal(user in any::<String>(), reason in any::<String>(), at in 0_u64..253_402_207_200_000) {
        let actor = Actor { user: user.clone(), role: reason.clone() };
        let event = Event::Pause { reason: reason.clone() };
        let mut ledger = Ledger::default();
        let line = ledger.write(vec![(event.clone(), Some(user.clone()))], &actor, None, Timestamp(at));
        prop_assert_eq!(line.matches('\n').count(), 1);
        let record = Ledger::default().accept(line.trim_end().as_bytes()).unwrap();
        prop_assert_eq!((&record.user, &record.deploy_role, &record.event, record.timestamp), (&user, &reason, &event, Timestamp(at)));
        prop_assert_eq!(record.release_id, Some(user));
    }

    #[test]
    fn a_command_that_is_refused_for_its_role_is_on_record_at_most_once_a_second(
        gaps in proptest::collection::vec((0_u64..700, "[a-c]"), 1..40),
    ) {
        let mut world = World::default();
        for (gap, user) in gaps {
            world.now = world.now.plus(gap);
            let _ = world.give(&Actor { user, role: "Viewer".into() }, false, &Command::PromoteGreen);
        }
        let mut ledger = Ledger::default();
        let records: Vec<_> = world.journal.lines().map(|line| ledger.accept(line.as_bytes()).unwrap()).collect();
        for (index, record) in records.iter().enumerate() {
            for later in records[index + 1..].iter().filter(|later| later.user == record.user) {
                prop_assert!(later.timestamp.since(record.timestamp) >= 1000);
            }
        }
        prop_assert!(!records.is_empty());
    }
}
