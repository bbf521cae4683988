//! Reading a table's bytes, a record at a time. `docs/table.md` describes them.

use super::Epoch;
use super::binary::{BYTES_MAX, BinaryError};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::{HashKey, TENANT_ID_MAX};
use crate::placement::{RegionStatus, ReleaseView, Slot};
use crate::region::{REGIONS_MAX, is_name};
use crate::release::{Phase, Weight};
use crate::time::Timestamp;

/// What every table in bytes begins with.
pub(super) const MAGIC: [u8; 7] = *b"halcyon";

/// The format this version writes and reads.
pub(super) const FORMAT: u8 = 1;

pub(super) const NO_PLACE: u16 = u16::MAX;
pub(super) const NEVER: u64 = u64::MAX;

/// In the order of their numbers.
pub(super) const SLOTS: [Slot; 2] = [Slot::Blue, Slot::Green];

/// SipHash-1-3 under the zero key: no protection against intent, which is what a signature is for.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    HashKey::default().sip13(bytes)
}

/// What is said of single tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Residency,
    Pins,
    Slots,
}

/// The lists of rules in their order, literals (true) before beginnings.
pub(super) const LISTS: [(Kind, bool); 6] = [
    (Kind::Residency, true),
    (Kind::Residency, false),
    (Kind::Pins, true),
    (Kind::Pins, false),
    (Kind::Slots, true),
    (Kind::Slots, false),
];

/// What stands before the regions.
pub(super) struct Head<'b> {
    pub(super) epoch: Epoch,
    pub(super) key: HashKey,
    pub(super) sticky: Sticky,
    pub(super) policy: FailoverPolicy,
    /// Less than `regions`.
    pub(super) primary: Option<u16>,
    pub(super) release: Option<ReleaseView<'b>>,
    pub(super) valid_until: Option<Timestamp>,
    /// Where the deployment's text begins.
    pub(super) deployment_at: usize,
    pub(super) deployment: &'b str,
    /// How many there are, 0 to 1,024.
    pub(super) regions: usize,
}

/// One region.
pub(super) struct Region<'b> {
    pub(super) weight: u16,
    pub(super) status: RegionStatus,
    pub(super) name: &'b str,
    /// The addresses of its pools, blue and green.
    pub(super) pools: [&'b str; 2],
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule<'b> {
    /// A tenant's id, or what it begins with.
    pub(super) text: &'b [u8],
    /// How many places there are, a place, or a slot's number.
    pub(super) value: u16,
    /// Of a residency rule.
    pub(super) places: &'b [[u8; 2]],
}

/// What is left to read. Every method answers `None` where it is too little, or not allowed.
#[derive(Clone, Copy)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    /// How many bytes there are, those before included.
    all: usize,
}

impl<'b> Reader<'b> {
    /// At the head of a table whose checksum holds.
    pub(super) fn open(bytes: &'b [u8]) -> Result<Self, BinaryError> {
        if bytes.len() > BYTES_MAX {
            return Err(BinaryError::TooLong);
        }
        let format = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.first());
        match format {
            Some(&FORMAT) => {}
            Some(_) => return Err(BinaryError::Format),
            None => return Err(BinaryError::NoTable),
        }
        let (content, sum) = bytes.split_last_chunk().ok_or(BinaryError::Damaged)?;
        if checksum(content) != u64::from_le_bytes(*sum) {
            return Err(BinaryError::Damaged);
        }
        let begin = MAGIC.len().saturating_add(1);
        Self::at(content, begin).ok_or(BinaryError::Damaged)
    }

    /// At a place that [`position`](Self::position) has told.
    #[inline]
    pub(super) fn at(content: &'b [u8], position: usize) -> Option<Self> {
        let rest = content.get(position..)?;
        let all = content.len();
        Some(Self { rest, all })
    }

    /// How many bytes stand before what is left.
    pub(super) fn position(&self) -> usize {
        self.all.wrapping_sub(self.rest.len())
    }

    pub(super) fn is_at_the_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline(always)]
    pub(super) fn head(&mut self) -> Option<Head<'b>> {
        // Their length looked at once.
        let mut fixed = Self::at(self.chunk::<38>()?, 0)?;
        let epoch = Epoch::new(fixed.number()?)?;
        let until = fixed.number()?;
        let key = HashKey::from_bytes(*fixed.chunk()?);
        let sticky = fixed.one_of(&Sticky::ALL)?;
        let policy = fixed.one_of(&FailoverPolicy::ALL)?;
        let primary = fixed.short()?;
        let phase = fixed.one_of(&Phase::ALL)?;
        let weight = Weight::new(i64::from(fixed.byte()?))?;
        let id = self.text()?;
        let deployment_at = self.position();
        let deployment = self.text().filter(|name| is_name(name))?;
        let regions = self.count().filter(|count| *count <= REGIONS_MAX)?;
        let primary = (primary != NO_PLACE).then_some(primary);
        match primary {
            None if sticky == Sticky::Primary => return None,
            Some(place) if usize::from(place) >= regions => return None,
            _ => {}
        }
        // As in JSON: only a canary ends by itself, and what is no release says nothing of one.
        let nothing = until == NEVER && phase == Phase::Idle && weight == Weight::ZERO;
        if (until != NEVER && phase != Phase::Canary) || (id.is_empty() && !nothing) {
            return None;
        }
        Some(Head {
            epoch,
            key,
            sticky,
            policy,
            primary,
            release: (!id.is_empty()).then_some(ReleaseView { id, phase, weight }),
            valid_until: (until != NEVER).then_some(Timestamp(until)),
            deployment_at,
            deployment,
            regions,
        })
    }

    /// One of the head's regions.
    #[inline(always)]
    pub(super) fn region(&mut self) -> Option<Region<'b>> {
        let [low, high, status] = *self.chunk()?;
        Some(Region {
            weight: u16::from_le_bytes([low, high]),
            status: *RegionStatus::ALL.get(usize::from(status))?,
            name: self.text().filter(|name| is_name(name))?,
            pools: [self.text()?, self.text()?],
        })
    }

    /// The weight and the name of a region that has been read before.
    pub(super) fn known_region(mut self) -> Option<(u16, &'b [u8])> {
        let [low, high, _] = *self.chunk()?;
        Some((u16::from_le_bytes([low, high]), self.bytes()?))
    }

    /// Where each rule of the next list begins.
    pub(super) fn offsets(&mut self) -> Option<&'b [[u8; 4]]> {
        let count = self.count()?;
        self.chunks(count)
    }

    /// One rule of a list, wherever the reader is.
    #[inline]
    pub(super) fn rule(&mut self, kind: Kind) -> Option<Rule<'b>> {
        let text = self.bytes()?;
        let value = self.short()?;
        let places = match kind {
            Kind::Residency => self.chunks(usize::from(value))?,
            Kind::Pins | Kind::Slots => &[],
        };
        Some(Rule {
            text,
            value,
            places,
        })
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(chunk)
    }

    pub(super) fn chunks<const N: usize>(&mut self, count: usize) -> Option<&'b [[u8; N]]> {
        let (chunks, rest) = self.rest.split_at_checked(count.checked_mul(N)?)?;
        self.rest = rest;
        Some(chunks.as_chunks().0)
    }

    fn byte(&mut self) -> Option<u8> {
        self.chunk().map(|[byte]| *byte)
    }

    fn short(&mut self) -> Option<u16> {
        self.chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn number(&mut self) -> Option<u64> {
        self.chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn count(&mut self) -> Option<usize> {
        let count = self.chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
        usize::try_from(count).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.count()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'b str> {
        core::str::from_utf8(self.bytes()?).ok()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(self.byte()?)).copied()
    }
}

impl Rule<'_> {
    /// Whether it may stand in a list of this kind, of literals or of beginnings, over so many regions.
    pub(super) fn is_allowed(&self, kind: Kind, exact: bool, regions: usize) -> bool {
        let value = usize::from(self.value);
        let value = match kind {
            Kind::Residency => are_ascending(self.places, regions),
            Kind::Pins => value < regions,
            Kind::Slots => value < SLOTS.len(),
        };
        value
            && self.text.len() <= TENANT_ID_MAX
            && !(exact && self.text.is_empty())
            && self.text.iter().all(|byte| *byte != b'*')
            && core::str::from_utf8(self.text).is_ok()
    }
}

/// Whether they are places of so many regions, ascending, as the look-up needs them.
fn are_ascending(places: &[[u8; 2]], regions: usize) -> bool {
    let mut least = 0;
    for place in places {
        let place = usize::from(u16::from_le_bytes(*place));
        if place < least || place >= regions {
            return false;
        }
        least = place.saturating_add(1);
    }
    true
}
