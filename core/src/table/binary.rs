//! A table in bytes, for edges that read no JSON. `docs/table.md` describes the format.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::held::{Parts, ReleaseOf, Table};
use super::index::TableIndex;
use super::reader::{FORMAT, Kind, LISTS, MAGIC, NEVER, NO_PLACE, Reader, Rule, SLOTS, checksum};
use crate::config::{FailoverPolicy, RegionConfig, Sticky};
use crate::placement::{Keys, RegionStatus, TenantRules};
use crate::region::RegionName;
use crate::release::Phase;

/// The longest table in bytes: 16 MiB.
pub const BYTES_MAX: usize = 16 << 20;

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
            .iter()
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
        for (kind, exact) in LISTS {
            let keys = match kind {
                Kind::Residency => rules.residency.keys(),
                Kind::Pins => rules.pins.keys(),
                Kind::Slots => rules.slots.keys(),
            };
            out.rules(keys, exact, &|out, place| match kind {
                Kind::Residency => {
                    let places = rules.residency.at(place).map_or(&[][..], Vec::as_slice);
                    out.short(u16::try_from(places.len()).unwrap_or(u16::MAX));
                    for place in places {
                        out.short(*place);
                    }
                }
                Kind::Pins => out.short(rules.pins.at(place).copied().unwrap_or_default()),
                Kind::Slots => {
                    let slot = rules.slots.at(place);
                    out.short(slot.map_or(0, |slot| place_of(&SLOTS, *slot).into()));
                }
            });
        }
        let checksum = checksum(&out.0);
        out.number(checksum);
        out.0
    }

    /// Reads a table from its bytes.
    ///
    /// # Errors
    /// What kind of thing is wrong; nothing is read of bytes whose checksum does not hold.
    pub fn from_binary(bytes: &[u8]) -> Result<Self, BinaryError> {
        // What is a table and what is none is decided there alone.
        TableIndex::read(bytes)?;
        let mut reader = Reader::open(bytes)?;
        let parts = parts(&mut reader).ok_or(BinaryError::Malformed)?;
        Table::of(parts).ok_or(BinaryError::NoRegion)
    }
}

/// What a table's bytes hold, which has been found to be allowed.
fn parts(reader: &mut Reader<'_>) -> Option<Parts> {
    let head = reader.head()?;
    let (mut regions, mut weights) = (Vec::new(), Vec::new());
    let (mut health, mut pools) = (Vec::new(), Vec::new());
    for _ in 0..head.regions {
        let region = reader.region()?;
        regions.push(RegionName::of(region.name)?);
        weights.push(region.weight);
        health.push(region.status);
        pools.push(region.pools.map(ToOwned::to_owned));
    }
    let mut rules = TenantRules::default();
    for (kind, exact) in LISTS {
        for _ in reader.offsets()? {
            let Rule {
                text,
                value,
                places,
            } = reader.rule(kind)?;
            let mut pattern = core::str::from_utf8(text).ok()?.to_owned();
            if !exact {
                pattern.push('*');
            }
            let added = match kind {
                Kind::Residency => {
                    let places = places.iter().map(|place| u16::from_le_bytes(*place));
                    rules.residency.add(&pattern, places.collect())
                }
                Kind::Pins => rules.pins.add(&pattern, value),
                Kind::Slots => {
                    let slot = SLOTS.get(usize::from(value))?;
                    rules.slots.add(&pattern, *slot)
                }
            };
            added.ok()?;
        }
    }
    let primary = match head.primary {
        None => None,
        Some(place) => Some(regions.get(usize::from(place))?.clone()),
    };
    Some(Parts {
        epoch: head.epoch,
        deployment: head.deployment.to_owned(),
        config: RegionConfig {
            regions,
            primary,
            policy: head.policy,
            sticky: head.sticky,
            key: head.key,
            weights,
            rules,
            ..RegionConfig::default()
        },
        health,
        pools,
        release: head.release.map(|release| ReleaseOf {
            id: release.id.to_owned(),
            state: release.phase,
            weight: release.weight,
            valid_until: head.valid_until,
        }),
    })
}

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

    /// A list: how many rules, where each begins, and these; of the patterns of one kind, with what `value`
    /// writes of each place.
    fn rules(&mut self, keys: &Keys, exact: bool, value: &dyn Fn(&mut Self, usize)) {
        let rules = keys.texts(exact);
        self.count(rules.len());
        let mut behind = Writer(Vec::new());
        let offsets = rules.len().saturating_mul(4);
        let begin = self.0.len().saturating_add(offsets);
        for (text, place) in rules {
            self.count(begin.saturating_add(behind.0.len()));
            behind.text(text);
            value(&mut behind, place);
        }
        self.bytes(&behind.0);
    }
}
