//! Over a file: readers take no lock, so they see every append while it is under way.

use std::io;
use std::sync::Arc;

use super::super::disk::ENOSPC;
use super::*;
use crate::journal::{LogFile, Storage};

/// A file, and how many writes may still find no room.
struct File {
    bytes: Vec<u8>,
    full: usize,
    /// Who has found none in the middle of a write.
    cut_short: Option<usize>,
}

/// One writer's hold of it: every read, write and cut is a step.
#[derive(Clone)]
struct Hold {
    turns: Arc<Turns<File>>,
    who: usize,
}

/// The append lock.
struct Locked(Arc<Turns<File>>);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl Storage for Hold {
    type Lock = Locked;

    fn lock(&mut self) -> Result<Locked, JournalError> {
        self.turns.lock(self.who);
        Ok(Locked(Arc::clone(&self.turns)))
    }

    fn open(&mut self, _: bool) -> io::Result<Option<Box<dyn LogFile>>> {
        Ok(Some(Box::new(self.clone())))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self) -> String {
        "file".into()
    }
}

impl LogFile for Hold {
    fn identity(&mut self) -> io::Result<(u64, u64)> {
        Ok((1, 1))
    }

    fn read_from(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.turns.step(self.who, |file, _| {
            let bytes = file.bytes.get(offset as usize..);
            Ok(bytes.unwrap_or_default().to_vec())
        })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.turns.step(self.who, |file, choices| {
            let full = || Err(io::Error::from_raw_os_error(ENOSPC));
            if file.cut_short.take_if(|who| *who == self.who).is_some() {
                return full();
            }
            let chosen = match file.full {
                0 => 0,
                _ => choices.among(3),
            };
            file.full -= usize::from(chosen > 0);
            let written = match chosen {
                0 => bytes.len(),
                1 => return full(),
                _ => bytes.len().div_ceil(2),
            };
            file.cut_short = Some(self.who).filter(|_| written < bytes.len());
            file.bytes.truncate(offset as usize);
            file.bytes.extend(&bytes[..written]);
            Ok(written)
        })
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let length = length as usize;
        let cut = |file: &mut File| file.bytes.truncate(length);
        self.turns.step(self.who, |file, _| cut(file));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the scripts over a file in every order; so many writes may find the disk full.
fn over_a_file(full: usize, scripts: &Scripts) -> usize {
    Turns::every_order(
        scripts.len(),
        || File {
            bytes: begun().into_bytes(),
            full,
            cut_short: None,
        },
        |turns, who| {
            let mut journal = Journal::with_storage(Hold { turns, who }).unwrap();
            let mut told = Told::new();
            for asked in &scripts[who] {
                let answer = asked.give(&mut journal, NOON);
                told.push((asked.clone(), answer));
            }
            told
        },
        |file, told| {
            let text = String::from_utf8(file.bytes).unwrap();
            let failed = told
                .iter()
                .flatten()
                .filter_map(|(_, told)| told.as_ref().err());
            for why in failed {
                use JournalError::{Full, Moved, Refused};
                assert!(matches!(why, Full { .. } | Moved | Refused(_)), "{why}");
            }
            assert_serial(&text, &told);
        },
    )
}

#[test]
fn two_writers_in_any_order_are_a_serial_history() {
    let scripts = vec![
        vec![Asked::plain(pause("a")), Asked::plain(back("a"))],
        vec![Asked::expecting(back("b"))],
    ];
    let runs = over_a_file(0, &scripts);
    assert!(runs > 100, "{runs}");
}

#[test]
fn what_a_full_disk_cuts_back_is_no_answer_to_anybody_who_has_seen_it() {
    for second in [
        Asked::under("k", back("a")),
        Asked::plain(back("b")),
        Asked::plain(pause("b")),
        Asked::expecting(pause("b")),
    ] {
        let scripts = vec![vec![Asked::under("k", back("a"))], vec![second]];
        let runs = over_a_file(1, &scripts);
        assert!(runs > 100, "{runs}");
    }
}
