//! The store of the world under way where it is no file: a service that processes on other machines share.

use halcyon::journal::{FileStore, Found, JournalError, Mark, NotSwapped, Origin, Span, Store};
use halcyon_core::ledger::{Head, Record};

use crate::disk::{Plugged, with_the_disk};

/// What becomes of a swap of which nobody hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unheard {
    /// It never arrives.
    Lost,
    Done,
    /// It arrives later, or never.
    Late,
}

/// A swap under way, whose sender is gone.
#[derive(Debug, Clone)]
pub(crate) struct Late {
    pub(crate) expected: Head,
    pub(crate) lines: String,
    /// The first of them.
    pub(crate) record: Record,
}

/// Where a world's journals are kept.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    File(FileStore<Plugged>),
    Service,
}

const ORIGIN: Option<Origin> = Some((1, 1));

impl Kept {
    pub(crate) fn in_a_file() -> Self {
        Kept::File(FileStore::new(Plugged))
    }
}

/// What stands behind a head, if that is the end of these bytes up to there.
fn behind<'b>(bytes: &'b [u8], known: &Mark) -> Option<&'b [u8]> {
    let (before, behind) = bytes.split_at_checked(known.bytes as usize)?;
    let same = known.head.seq == 0 || ends_in(before, &known.head);
    same.then_some(behind)
}

/// Whether a head is the end of a log.
pub(crate) fn ends_in(bytes: &[u8], head: &Head) -> bool {
    match head.seq {
        0 => bytes.is_empty(),
        _ => bytes.ends_with(format!("{}\"}}\n", head.hash).as_bytes()),
    }
}

fn away() -> JournalError {
    JournalError::Io {
        doing: "reach",
        path: "model".into(),
        why: "killed".into(),
    }
}

impl Store for Kept {
    fn read(&mut self, known: &Mark) -> Result<Option<Found>, JournalError> {
        let Kept::File(file) = self else {
            return with_the_disk(|spinning| {
                if spinning.killed {
                    return Err(away());
                }
                let found = behind(&spinning.disk.seen, known);
                Ok(found.map(|lines| Found {
                    lines: lines.to_vec(),
                    torn: 0,
                    origin: ORIGIN,
                }))
            });
        };
        file.read(known)
    }

    fn read_again(&mut self, span: &Span) -> Result<Vec<u8>, JournalError> {
        let Kept::File(file) = self else {
            let bytes = span.bytes.start as usize..span.bytes.end as usize;
            return with_the_disk(|spinning| match spinning.disk.seen.get(bytes) {
                Some(lines) if !spinning.killed => Ok(lines.to_vec()),
                _ => Err(away()),
            });
        };
        file.read_again(span)
    }

    fn make_durable(&mut self, known: &Mark) -> Result<(), JournalError> {
        match self {
            Kept::File(file) => file.make_durable(known),
            Kept::Service => Ok(()),
        }
    }

    fn swap(&mut self, expected: &Mark, lines: &str) -> Result<Option<Origin>, NotSwapped> {
        match self {
            Kept::File(file) => file.swap(expected, lines),
            Kept::Service => with_the_disk(|spinning| spinning.swap(&expected.head, lines)),
        }
    }

    fn takes_back(&self) -> bool {
        match self {
            Kept::File(file) => file.takes_back(),
            Kept::Service => false,
        }
    }

    fn place(&self) -> String {
        "model".into()
    }
}
