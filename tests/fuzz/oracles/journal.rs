//! A journal's bytes: what is accepted, what it adds up to, and that it does not matter when who looks.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use halcyon::journal::{Entry, Journal, JournalError, LogFile, Storage};
use halcyon_core::ledger::{Head, Ledger, Record};
use halcyon_core::release::{Event, Fact, Release};
use serde_json::Value;

use super::journal_script::{Script, sha256};

/// Of a journal that was written and meddled with, everything is accepted up to the first line that does
/// not hold and nothing behind it, in one look or in many, and the state is the fold of what was accepted.
///
/// # Panics
/// When a law does not hold.
pub fn journal(data: &[u8]) {
    let script = Script::play(data);
    let mut lines: Vec<&[u8]> = script.bytes.split(|byte| *byte == b'\n').collect();
    let torn = lines.pop().unwrap_or_default();
    let read = read(&lines);
    if script.untouched {
        assert!(torn.is_empty() && read.why.is_none(), "{:?}", read.why);
        assert_eq!(read.ledger, script.ledger);
    }
    let release = read.ledger.release();
    assert_eq!(&folded(&read.records), release);
    let status = release.status();
    assert_eq!(status.traffic_split.blue + status.traffic_split.green, 100);
    let _ = (release.next_step(), release.next_deadline(), release.view());
    in_one_look(&script.bytes, &read, torn.len());
    in_many_looks(&script.bytes, &read, torn.len());
}

/// What a ledger makes of whole lines.
struct Reading {
    ledger: Ledger,
    records: Vec<Record>,
    /// Bytes up to the end of the last accepted line.
    good: usize,
    why: Option<String>,
}

fn read(lines: &[&[u8]]) -> Reading {
    let mut reading = Reading {
        ledger: Ledger::default(),
        records: Vec::new(),
        good: 0,
        why: None,
    };
    for line in lines {
        let before = reading.ledger.clone();
        match reading.ledger.accept(line) {
            Ok(record) => {
                holds(line, before.head(), &record);
                reading.records.push(record);
                reading.good += line.len() + 1;
            }
            Err(why) => {
                assert_eq!(why.seq, before.head().seq + 1);
                assert!(why.to_string().len() < 1000, "{why}");
                assert_eq!(
                    reading.ledger, before,
                    "a line that is refused leaves no trace"
                );
                reading.why = Some(why.to_string());
                return reading;
            }
        }
    }
    reading
}

/// The chain, checked by hand: the bytes before the last `,"hash":` have the hash behind it, and the number
/// and the hash before are the right ones.
fn holds(line: &[u8], before: &Head, record: &Record) {
    let line = std::str::from_utf8(line).expect("an accepted line is text");
    let (body, end) = line
        .rsplit_once(",\"hash\":")
        .expect("an accepted line carries a hash");
    assert_eq!(end, format!("\"{}\"}}", sha256(body.as_bytes())), "{line}");
    let value: Value = serde_json::from_str(line).expect("an accepted line is JSON");
    assert_eq!(value["seq"].as_u64(), Some(before.seq + 1), "{line}");
    assert_eq!(
        value["prev_hash"].as_str(),
        Some(before.hash.as_str()),
        "{line}"
    );
    for (name, read) in [
        ("action", action(record)),
        ("user", record.user.clone()),
        ("state", record.state.to_string()),
    ] {
        assert_eq!(value[name].as_str(), Some(read.as_str()), "{line}");
    }
}

fn action(record: &Record) -> String {
    let value = serde_json::to_value(&record.event).unwrap();
    value["action"].as_str().unwrap_or_default().to_owned()
}

fn folded(records: &[Record]) -> Release {
    let mut release = Release::default();
    for record in records {
        release.evolve(&Fact {
            at: record.timestamp,
            release_id: record.release_id.clone(),
            event: record.event.clone(),
        });
        if let Event::PermissionDenied { .. } = record.event {
            release.note_denial(&record.user, record.timestamp);
        }
        assert_eq!(
            (record.state, record.canary_weight),
            (release.phase(), release.weight())
        );
        assert_eq!(record.blue_image.as_deref(), release.blue_image());
        assert_eq!(record.green_image.as_deref(), release.green_image());
    }
    release
}

fn in_one_look(bytes: &[u8], read: &Reading, torn: usize) {
    let file = Memory::default();
    file.0.borrow_mut().extend_from_slice(bytes);
    match Journal::with_storage(file) {
        Ok(journal) => {
            assert_eq!(read.why, None);
            assert_eq!(journal.torn_tail(), torn as u64);
            assert_eq!(
                (journal.head(), journal.release()),
                (read.ledger.head(), read.ledger.release())
            );
        }
        Err(JournalError::Corrupt { .. }) => assert!(read.why.is_some()),
        Err(other) => panic!("{other}"),
    }
}

/// A reader that looks while the file grows, at the ends of lines and in between.
fn in_many_looks(bytes: &[u8], read: &Reading, torn: usize) {
    let file = Memory::default();
    let mut journal = Journal::with_storage(file.clone()).unwrap();
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at);
    let mut looks: Vec<usize> = ends.flat_map(|end| [end, end + 1, end + 30]).collect();
    looks.extend([1, bytes.len() / 3, bytes.len()]);
    looks.retain(|look| *look <= bytes.len());
    looks.sort_unstable();
    let mut entries: Vec<Entry> = Vec::new();
    let first_bad = bytes[read.good..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| read.good + at + 1);
    for look in looks {
        *file.0.borrow_mut() = bytes[..look].to_vec();
        match journal.refresh() {
            Ok(new) => {
                assert!(
                    first_bad.is_none_or(|end| look < end),
                    "at {look}: {:?}",
                    read.why
                );
                entries.extend(new);
            }
            Err(JournalError::Corrupt { .. }) => {
                assert!(
                    first_bad.is_some_and(|end| look >= end),
                    "at {look}: {:?}",
                    read.why
                );
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    if read.why.is_none() {
        assert_eq!(
            (journal.head(), journal.release()),
            (read.ledger.head(), read.ledger.release())
        );
        assert_eq!(
            (journal.torn_tail(), journal.seen_bytes()),
            (torn as u64, bytes.len() as u64)
        );
        let lines: String = entries
            .iter()
            .map(|entry| entry.line.clone() + "\n")
            .collect();
        assert_eq!(lines.as_bytes(), &bytes[..read.good]);
    }
}

/// A file in memory that others can make longer.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Storage for Memory {
    type Lock = ();

    fn lock(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn open(&mut self, _write: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        Ok(Some(Box::new(self.clone())))
    }

    fn path(&self) -> String {
        "memory".into()
    }
}

impl LogFile for Memory {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        Ok((0, 0))
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.borrow();
        Ok(bytes.get(offset as usize..).unwrap_or_default().to_vec())
    }

    fn write_at(&mut self, _bytes: &[u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
