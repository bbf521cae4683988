//! A table in bytes, for edges that read no JSON. `docs/table.md` describes the format.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Epoch;
use super::held::{Parts, ReleaseOf, Table};
use crate::config::{FailoverPolicy, RegionConfig, Sticky};
use crate::hash::HashKey;
use crate::placement::{Patterns, RegionStatus, Slot, TenantRules};
use crate::region::{REGIONS_MAX, RegionName};
use crate::release::{Phase, Weight};
use crate::time::Timestamp;

/// What every table in bytes begins with.
const MAGIC: [u8; 7] = *b"halcyon";

/// The format this version writes and reads.
const FORMAT: u8 = 1;

/// The longest table in bytes: 16 MiB.
pub const BYTES_MAX: usize = 16 << 20;

const NO_PLACE: u16 = u16::MAX;
const NEVER: u64 = u64::MAX;

/// Why bytes are no table. The discriminant is the code that the C ABI answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BinaryError {
    /// They do not begin as one.
    NoTable = 1,
    /// They are of a format that this version does not know.
    Format = 2,
    /// They end before the table does, go on behind it, or were changed.
    Damaged = 3,
    /// A value in them is not allowed.
    Malformed = 4,
    /// They hold no region.
    NoRegion = 5,
    /// There are more than [`BYTES_MAX`].
    TooLong = 6,
}

impl BinaryError {
    /// Its code.
    pub fn code(self) -> u8 {
        match self {
            BinaryError::NoTable => 1,
            BinaryError::Format => 2,
            BinaryError::Damaged => 3,
            BinaryError::Malformed => 4,
            BinaryError::NoRegion => 5,
            BinaryError::TooLong => 6,
        }
    }
}

impl core::fmt::Display for BinaryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            BinaryError::NoTable => {
                "these bytes are no routing table; allowed: one that begins with \"halcyon\""
            }
            BinaryError::Format => "a routing table of another format; allowed: format 1",
            BinaryError::Damaged => {
                "a routing table that was cut or changed: its checksum does not hold"
            }
            BinaryError::Malformed => {
                "a routing table with a value that is not allowed; allowed: what docs/table.md says"
            }
            BinaryError::NoRegion => "a routing table without a region; allowed: 1 to 1024",
            BinaryError::TooLong => "a routing table of more than 16 MiB, which is allowed",
        })
    }
}

impl core::error::Error for BinaryError {}

impl Table {
    /// The table in bytes: the same ones for the same table.
    pub fn to_binary(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        out.bytes(&MAGIC);
        out.byte(FORMAT);
        out.number(self.epoch.number());
        let release = self.release.as_ref();
        let until = release.and_then(|release| release.valid_until);
        out.number(until.map_or(NEVER, |until| until.0));
        out.bytes(&self.router.key().to_bytes());
        out.byte(place_of(&Sticky::ALL, self.router.sticky()));
        out.byte(place_of(&FailoverPolicy::ALL, self.router.policy()));
        out.short(self.router.primary_place().unwrap_or(NO_PLACE));
        out.byte(release.map_or(0, |release| place_of(&Phase::ALL, release.state)));
        out.byte(release.map_or(0, |release| release.weight.percent()));
        out.text(release.map_or("", |release| &release.id));
        out.text(&self.deployment);
        out.count(self.router.len());
        let weights = self.router.weights().iter();
        let parts = self
            .router
            .regions()
            .zip(weights)
            .zip(&self.health)
            .zip(&self.pools);
        for (((name, weight), status), pools) in parts {
            out.short(*weight);
            out.byte(place_of(&RegionStatus::ALL, *status));
            out.text(name.as_str());
            pools.iter().for_each(|pool| out.text(pool));
        }
        let rules = self.router.rules();
        out.patterns(&rules.residency, |out, places| {
            out.count(places.len());
            places.iter().for_each(|place| out.short(*place));
        });
        out.patterns(&rules.pins, |out, place| out.short(*place));
        out.patterns(&rules.slots, |out, slot| out.byte(place_of(&SLOTS, *slot)));
        let checksum = checksum(&out.0);
        out.number(checksum);
        out.0
    }

    /// Reads a table from its bytes.
    ///
    /// # Errors
    /// What kind of thing is wrong; nothing is read of bytes whose checksum does not hold.
    pub fn from_binary(bytes: &[u8]) -> Result<Self, BinaryError> {
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
        let behind = content.get(MAGIC.len().saturating_add(1)..);
        let mut reader = Reader(behind.unwrap_or_default());
        let parts = reader.parts().ok_or(BinaryError::Malformed)?;
        if !reader.0.is_empty() {
            return Err(BinaryError::Malformed);
        }
        Table::of(parts).ok_or(BinaryError::NoRegion)
    }
}

/// SipHash-1-3 under the zero key: no protection against intent, which is what a signature is for.
fn checksum(bytes: &[u8]) -> u64 {
    HashKey::default().sip13(bytes)
}

const SLOTS: [Slot; 2] = [Slot::Blue, Slot::Green];

/// Where a value stands among all of its kind.
fn place_of<T: PartialEq>(all: &[T], value: T) -> u8 {
    let place = all.iter().position(|known| *known == value);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(0)
}

struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn short(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.bytes(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn patterns<T>(&mut self, patterns: &Patterns<T>, value: impl Fn(&mut Self, &T)) {
        self.count(patterns.len());
        for (pattern, of) in patterns.iter() {
            self.text(pattern);
            value(self, of);
        }
    }
}

/// What is left to read. Every method answers `None` where it is too little, or not allowed.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn parts(&mut self) -> Option<Parts> {
        let epoch = Epoch::new(self.number()?)?;
        let until = self.number()?;
        let key = HashKey::from_bytes(*self.chunk()?);
        let sticky = self.one_of(&Sticky::ALL)?;
        let policy = self.one_of(&FailoverPolicy::ALL)?;
        let primary = self.short()?;
        let state = self.one_of(&Phase::ALL)?;
        let weight = Weight::new(i64::from(self.byte()?))?;
        let id = self.text()?.to_owned();
        let deployment = self.text()?.to_owned();
        let count = self.count()?;
        if count > REGIONS_MAX {
            return None;
        }
        let (mut regions, mut weights) = (Vec::new(), Vec::new());
        let (mut health, mut pools) = (Vec::new(), Vec::new());
        for _ in 0..count {
            weights.push(self.short()?);
            health.push(self.one_of(&RegionStatus::ALL)?);
            let name = RegionName::of(self.text()?)?;
            let twice = regions
                .iter()
                .any(|known: &RegionName| known.is_like(&name));
            if twice {
                return None;
            }
            regions.push(name);
            pools.push([self.text()?.to_owned(), self.text()?.to_owned()]);
        }
        let primary = match primary {
            NO_PLACE => None,
            place => Some(regions.get(usize::from(place))?.clone()),
        };
        if sticky == Sticky::Primary && primary.is_none() {
            return None;
        }
        let rules = TenantRules {
            residency: self.patterns(|reader| reader.places(count))?,
            pins: self.patterns(|reader| reader.place(count))?,
            slots: self.patterns(|reader| reader.one_of(&SLOTS))?,
        };
        // As in JSON: only a canary ends by itself, and what is no release says nothing of one.
        let nothing = until == NEVER && state == Phase::Idle && weight == Weight::ZERO;
        if (until != NEVER && state != Phase::Canary) || (id.is_empty() && !nothing) {
            return None;
        }
        let valid_until = (until != NEVER).then_some(Timestamp(until));
        let release = (!id.is_empty()).then_some(ReleaseOf {
            id,
            state,
            weight,
            valid_until,
        });
        let config = RegionConfig {
            regions,
            primary,
            policy,
            sticky,
            key,
            weights,
            rules,
            ..RegionConfig::default()
        };
        Some(Parts {
            epoch,
            deployment,
            config,
            health,
            pools,
            release,
        })
    }

    fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(chunk)
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

    /// No count is more than the bytes that are left: everything counted takes at least one.
    fn count(&mut self) -> Option<usize> {
        let count = self.chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
        let count = usize::try_from(count).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(self.byte()?)).copied()
    }

    fn place(&mut self, regions: usize) -> Option<u16> {
        self.short().filter(|place| usize::from(*place) < regions)
    }

    /// Ascending, as the look-up needs them.
    fn places(&mut self, regions: usize) -> Option<Vec<u16>> {
        let mut places = Vec::new();
        for _ in 0..self.count()? {
            let place = self.place(regions)?;
            if places.last().is_some_and(|last| *last >= place) {
                return None;
            }
            places.push(place);
        }
        Some(places)
    }

    fn patterns<T>(&mut self, value: impl Fn(&mut Self) -> Option<T>) -> Option<Patterns<T>> {
        let mut patterns = Patterns::default();
        // Literals first, each kind by its bytes: one table is one row of bytes.
        let mut before = (false, "");
        for place in 0..self.count()? {
            let pattern = self.text()?;
            let order = (
                pattern.ends_with('*'),
                pattern.strip_suffix('*').unwrap_or(pattern),
            );
            if place > 0 && order <= before {
                return None;
            }
            before = order;
            let value = value(self)?;
            patterns.add(pattern, value).ok()?;
        }
        Some(patterns)
    }
}
