//! Power fails after every change of the disk, and leaves any part of what was not synced.

use halcyon_core::ledger::Ledger;
use halcyon_core::release::{Phase, Step};

use super::cache::{CachedDisk, Moment};
use super::*;
use crate::journal::Storage;

fn open(disk: &CachedDisk) -> Result<Journal<FileStore<CachedDisk>>, JournalError> {
    Journal::with_storage(disk.clone())
}

fn pause(bytes: usize) -> Command {
    Command::Pause {
        reason: "x".repeat(bytes),
    }
}

/// The file that was acknowledged, and what an append that power cut short was about to add.
fn assert_survives(image: Option<Vec<u8>>, acknowledged: &[u8], attempted: &[u8]) {
    let disk = CachedDisk::holding(image.clone());
    let image = image.unwrap_or_default();
    let mut journal = match open(&disk) {
        Ok(journal) => journal,
        Err(why) => panic!("{why}: {}", image.escape_ascii()),
    };
    let torn = journal.torn_tail();
    let whole = &image[..image.len() - torn as usize];
    assert!(
        whole.starts_with(acknowledged),
        "an acknowledged record is gone"
    );
    let all = [acknowledged, attempted].concat();
    assert!(all.starts_with(whole), "nothing is there that nobody wrote");
    let mut replayed = Ledger::default();
    let tail = replayed.read(whole, |_, _, _| {}).unwrap();
    assert_eq!((tail, &replayed.head()), (&b""[..], &journal.head()));
    assert_eq!(replayed.release(), journal.release());
    if journal.release().phase() == Phase::RollbackInProgress {
        let next = journal.release().next_step();
        assert_eq!(
            next,
            Step::CompleteRollback,
            "half a rollback is one under way"
        );
    }
    let next = say(&mut journal, &rollback()).unwrap();
    assert_eq!(next[0].record.torn_tail_cut, (torn > 0).then_some(torn));
    let again = open(&disk).unwrap();
    assert_eq!((again.torn_tail(), again.head()), (0, journal.head()));
}

/// A disk, what of it was acknowledged, and how many files power losses have left so far.
struct Story {
    disk: CachedDisk,
    acknowledged: Vec<u8>,
    images: usize,
}

impl Story {
    fn holding(bytes: Option<Vec<u8>>) -> Self {
        let known = bytes.clone().unwrap_or_default();
        let end = known.iter().rposition(|byte| *byte == b'\n');
        Self {
            disk: CachedDisk::holding(bytes),
            acknowledged: known[..end.map_or(0, |end| end + 1)].to_vec(),
            images: 0,
        }
    }

    fn assert_all(&mut self, moments: &[Moment], attempted: &[u8]) {
        for image in moments.iter().flat_map(Moment::images) {
            assert_survives(image, &self.acknowledged, attempted);
            self.images += 1;
        }
    }

    /// Appends, with power failing everywhere meanwhile.
    fn tell(&mut self, command: &Command) {
        let before = self.acknowledged.len();
        let unhindered = CachedDisk::holding(Some(self.disk.seen()));
        say(&mut open(&unhindered).unwrap(), command).unwrap();
        let attempted = unhindered.seen()[before..].to_vec();
        let result = say(&mut open(&self.disk).unwrap(), command);
        let (moments, seen) = (self.disk.moments(), self.disk.seen());
        self.assert_all(&moments, &attempted);
        match result {
            Ok(_) => self.acknowledged = seen,
            Err(JournalError::Full { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        // From now on it is there, or it is not.
        let now = self.disk.moments();
        self.assert_all(&now, b"");
    }
}

#[test]
fn a_journal_begun_told_and_ended_survives_power_loss_in_every_moment() {
    let mut story = Story::holding(None);
    for command in [step(0), pause(10), Command::Resume, pause(600), rollback()] {
        story.tell(&command);
    }
    assert!(story.images > 50, "{}", story.images);
}

#[test]
fn a_record_of_many_sectors_survives_losing_any_of_them() {
    let mut story = Story::holding(None);
    story.tell(&step(0));
    story.tell(&pause(4200));
    let long = Command::RollbackToBlue {
        reason: "y".repeat(1200),
    };
    story.tell(&long);
    assert!(story.images > 1000, "{}", story.images);
}

#[test]
fn the_cut_of_a_torn_tail_survives_whether_it_is_lost_or_not() {
    let whole = Bench::holding(3).disk.bytes();
    for tail in [&[0; 700][..], &[b'x'; 40], &[b'{'; 1100]] {
        for command in [step(3), rollback()] {
            let mut story = Story::holding(Some([&whole, tail].concat()));
            story.tell(&command);
            story.tell(&rollback());
        }
    }
}

#[test]
fn what_a_full_disk_refused_never_comes_back() {
    let whole = Bench::holding(3).disk.bytes();
    let length = line_for(&whole, &rollback()).len();
    for (tail, room) in [
        (0, 1),
        (0, 300),
        (0, length - 1),
        (30, 50),
        (30, length - 100),
    ] {
        let mut story = Story::holding(Some([&whole[..], &vec![b'x'; tail]].concat()));
        story.disk.leave_room(Some(room));
        story.tell(&rollback());
        assert_eq!(story.acknowledged, whole, "room for {room} bytes");
        story.disk.leave_room(None);
        story.tell(&step(3));
    }
}

#[test]
fn an_append_after_a_killed_writer_makes_durable_what_that_one_left() {
    let whole = Bench::holding(3).disk.bytes();
    let killed = line_for(&whole, &rollback());
    let mut finished = 0;
    for changes in 0..7 {
        let mut story = Story::holding(Some(whole.clone()));
        story.disk.kill_after(Some(changes));
        finished += usize::from(say(&mut open(&story.disk).unwrap(), &rollback()).is_ok());
        story.disk.kill_after(None);
        let moments = story.disk.moments();
        story.assert_all(&moments, &killed);
        // What it left visible is there for the next writer, and must last once that one is answered.
        let begun = open(&story.disk).unwrap();
        let left = story.disk.seen().len() - begun.torn_tail() as usize;
        let pieces = begun.head().seq;
        say(&mut open(&story.disk).unwrap(), &rollback()).unwrap();
        let (moments, seen) = (story.disk.moments(), story.disk.seen());
        story.assert_all(&moments, &seen[whole.len()..]);
        story.acknowledged = seen;
        let now = story.disk.moments();
        story.assert_all(&now, b"");
        assert!(pieces >= 3 && left >= whole.len());
    }
    assert_eq!(finished, 1, "six changes are a whole append");
}

/// Why a record's newline is written on its own: were it in one write with the record, a sector lost
/// before it would make corruption of an append that nobody was told of.
#[test]
fn a_record_written_together_with_its_newline_can_be_left_as_corruption() {
    let whole = Bench::holding(1).disk.bytes();
    let line = line_for(&whole, &pause(1000));
    let mut disk = CachedDisk::holding(Some(whole.clone()));
    let mut file = disk.open(true).unwrap().unwrap();
    file.write_at(&line, whole.len() as u64).unwrap();
    let images = disk.moments().last().unwrap().images();
    let corrupt = images.into_iter().filter(|image| {
        let found = open(&CachedDisk::holding(image.clone()));
        matches!(found, Err(JournalError::Corrupt { .. }))
    });
    assert!(corrupt.count() > 0);
}
