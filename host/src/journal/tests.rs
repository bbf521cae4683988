//! The journal against a disk that fails in every way, writers that race, and bytes nobody wrote.

mod appending;
mod cache;
mod corruption;
mod disk;
mod failing_disk;
mod full_disk;
mod interleaved;
mod keyed;
mod places;
mod power_loss;
mod shared;
mod sharing;
mod sixty_four;
mod torn_tail;
mod turns;
mod writers;

use halcyon_core::ledger::Key;
use halcyon_core::release::{Command, Context};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use tempfile::TempDir;

use super::{Entry, FileStore, Journal, JournalError, Store};
use disk::Disk;

const NOON: Timestamp = Timestamp(1_767_268_800_000);

/// A journal on a disk that can fail.
struct Bench {
    disk: Disk,
}

impl Bench {
    fn new() -> Self {
        Self {
            disk: Disk::default(),
        }
    }

    /// With this many records on it.
    fn holding(records: u64) -> Self {
        let bench = Self::new();
        let mut journal = bench.journal();
        for seq in 0..records {
            say(&mut journal, &step(seq)).unwrap();
        }
        assert_eq!(journal.head().seq, records);
        bench
    }

    /// What another process would open.
    fn journal(&self) -> Journal<FileStore<Disk>> {
        self.try_journal().unwrap()
    }

    fn try_journal(&self) -> Result<Journal<FileStore<Disk>>, JournalError> {
        Journal::with_storage(self.disk.clone())
    }
}

/// Commands that every state before them allows: one record each.
fn step(seq: u64) -> Command {
    match seq {
        0 => Command::ProvisionGreen {
            image: "app:2".into(),
            blue_image: Some("app:1".into()),
            plan: None,
        },
        odd if odd % 2 == 1 => Command::Pause {
            reason: format!("reason {odd}"),
        },
        _ => Command::Resume,
    }
}

fn rollback() -> Command {
    Command::RollbackToBlue {
        reason: "by hand".into(),
    }
}

fn say<S: Store>(journal: &mut Journal<S>, command: &Command) -> Result<Vec<Entry>, JournalError> {
    say_after(journal, command, None)
}

fn say_after<S: Store>(
    journal: &mut Journal<S>,
    command: &Command,
    expected_seq: Option<u64>,
) -> Result<Vec<Entry>, JournalError> {
    let actor = Actor {
        user: "ann".into(),
        role: "Deployer".into(),
    };
    let context = Context {
        actor: &actor,
        kill_switch: false,
        new_release_id: "20260101-1200",
    };
    journal.append(command, &context, expected_seq, NOON)
}

/// Under a key; eve may not release.
fn say_under<S: Store>(
    journal: &mut Journal<S>,
    key: &str,
    user: &str,
    command: &Command,
    expected_seq: Option<u64>,
) -> Result<Vec<Entry>, JournalError> {
    let actor = Actor {
        user: user.into(),
        role: if user == "eve" { "Viewer" } else { "Deployer" }.into(),
    };
    let context = Context {
        actor: &actor,
        kill_switch: false,
        new_release_id: "20260101-1200",
    };
    let key = Key::parse(key).unwrap();
    journal.append_keyed(command, &context, Some(&key), expected_seq, NOON)
}

/// The bytes that appending `command` to these would add.
fn line_for(bytes: &[u8], command: &Command) -> Vec<u8> {
    let bench = Bench::new();
    bench.disk.set(bytes);
    say(&mut bench.journal(), command).unwrap();
    bench.disk.bytes()[bytes.len()..].to_vec()
}
