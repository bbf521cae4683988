//! A table that decides in its own bytes: nothing is copied, nothing allocated.

use core::convert::Infallible;

use super::Epoch;
use super::binary::BinaryError;
use super::held::Succession;
use super::reader::{Kind, LISTS, NEVER, Reader, Rule, SLOTS};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::{HashKey, TenantId};
use crate::placement::{Candidate, Draws, Everybody, Facts, decide};
use crate::placement::{Decision, RegionStatus, ResidencyUnavailable, Slot, SlotRule};
use crate::region::REGIONS_MAX;
use crate::time::Timestamp;

/// What has to be known of a table's bytes to decide by them: numbers and places alone, so that whoever
/// holds it holds the bytes beside it.
///
/// It takes the same bytes as [`Table::from_binary`](super::Table::from_binary), which reads through it,
/// and decides as that table does.
///
/// ```
/// use halcyon_core::hash::TenantId;
/// use halcyon_core::table::{Table, TableIndex};
/// use halcyon_core::time::Timestamp;
///
/// let json = r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop",
///     "regions":[{"name":"us-east","weight":1,"status":"up"},{"name":"us-west","weight":1,"status":"down"}],
///     "primary":"us-east","sticky":"hash","failover":"ordered"}"#;
/// let bytes = Table::from_json(json).unwrap().to_binary();
/// let index = TableIndex::read(&bytes).unwrap();
/// let acme = TenantId::new("acme").unwrap();
/// let found = index.decide(&bytes, acme, Timestamp(0)).unwrap();
/// assert_eq!(index.name(&bytes, found.region), Some("us-east"));
/// ```
#[derive(Debug, Clone)]
pub struct TableIndex {
    epoch: Epoch,
    /// To the last millisecond of this.
    valid_until: u64,
    key: HashKey,
    sticky: Sticky,
    policy: FailoverPolicy,
    primary: usize,
    everybody: Everybody<Infallible>,
    slots: SlotRule,
    deployment_at: usize,
    /// Of residency, pins and slots the literals and the beginnings.
    lists: [[List; 2]; 3],
    has_rules: bool,
    regions: usize,
    /// How many of the candidates have a weight; all of them where none has.
    weighted: usize,
    /// Those with a weight, then the others, each by name.
    candidates: [Candidate; REGIONS_MAX],
    health: [RegionStatus; REGIONS_MAX],
    /// Where each region begins.
    region_at: [u32; REGIONS_MAX],
}

/// Rules of one kind, literals or beginnings.
#[derive(Debug, Clone, Copy)]
struct List {
    /// Where the offsets of its rules begin.
    at: usize,
    count: usize,
}

impl TableIndex {
    /// Of no table: no region. Nothing but zeros, so that it takes no room in a module.
    pub const NONE: Self = Self {
        epoch: Epoch(0),
        valid_until: 0,
        key: HashKey::NONE,
        sticky: Sticky::Primary,
        policy: FailoverPolicy::Ordered,
        primary: 0,
        everybody: Everybody::NONE,
        slots: SlotRule::BLUE,
        deployment_at: 0,
        lists: [[List { at: 0, count: 0 }; 2]; 3],
        has_rules: false,
        regions: 0,
        weighted: 0,
        candidates: [Candidate::NONE; REGIONS_MAX],
        health: [RegionStatus::Up; REGIONS_MAX],
        region_at: [0; REGIONS_MAX],
    };

    /// Reads all of a table's bytes.
    ///
    /// # Errors
    /// As [`Table::from_binary`](super::Table::from_binary).
    pub fn read(bytes: &[u8]) -> Result<Self, BinaryError> {
        let reader = Reader::open(bytes)?;
        let mut index = Self::NONE;
        index.fill(bytes, reader).ok_or(BinaryError::Malformed)?;
        match index.regions {
            0 => Err(BinaryError::NoRegion),
            _ => Ok(index),
        }
    }

    fn fill(&mut self, bytes: &[u8], mut reader: Reader<'_>) -> Option<()> {
        let head = reader.head()?;
        for (at, health) in self
            .region_at
            .iter_mut()
            .zip(&mut self.health)
            .take(head.regions)
        {
            *at = u32::try_from(reader.position()).ok()?;
            *health = reader.region()?.status;
        }
        self.regions = head.regions;
        for (list, (kind, exact)) in self.lists.as_flattened_mut().iter_mut().zip(LISTS) {
            let offsets = reader.offsets()?;
            list.count = offsets.len();
            list.at = reader.position().checked_sub(list.count.checked_mul(4)?)?;
            self.has_rules |= list.count > 0;
            let mut before = None;
            for offset in offsets {
                if u32::try_from(reader.position()) != Ok(u32::from_le_bytes(*offset)) {
                    return None;
                }
                let rule = reader.rule(kind)?;
                if before >= Some(rule.text) || !rule.is_allowed(kind, exact, head.regions) {
                    return None;
                }
                before = Some(rule.text);
            }
        }
        if !reader.is_at_the_end() {
            return None;
        }
        self.epoch = head.epoch;
        self.valid_until = head.valid_until.map_or(NEVER, |until| until.0);
        self.key = head.key;
        self.sticky = head.sticky;
        self.policy = head.policy;
        self.primary = head.primary.map_or(0, usize::from);
        self.slots = SlotRule::new(&head.key, head.release);
        self.deployment_at = head.deployment_at;
        // No two that differ by case at most.
        self.by_name(bytes, true)?;
        let order = self.by_name(bytes, false)?;
        self.draw(bytes, order.get(..head.regions)?)?;
        if head.regions > 0 {
            self.everybody = Everybody::new(head.sticky, self.primary, head.regions)?;
        }
        Some(())
    }

    /// The places of all regions in the order of their names, case aside where that is asked for; `None`
    /// where two are the same.
    fn by_name(&self, bytes: &[u8], fold: bool) -> Option<[u16; REGIONS_MAX]> {
        let letter = |byte: &u8| match fold {
            true => byte.to_ascii_lowercase(),
            false => *byte,
        };
        let compare = |one: u16, other: u16| {
            let name = |place: u16| self.known(bytes, usize::from(place)).unwrap_or_default().1;
            let (one, other) = (name(one), name(other));
            let mut letters = one.iter().map(letter).zip(other.iter().map(letter));
            match letters.find(|(one, other)| one != other) {
                Some((one, other)) => one.cmp(&other),
                None => one.len().cmp(&other.len()),
            }
        };
        let mut order = [0; REGIONS_MAX];
        for (count, place) in (0..self.regions).zip(0_u16..) {
            let before = order.get(..count)?;
            let Err(at) = before.binary_search_by(|before| compare(*before, place)) else {
                return None;
            };
            let mut carried = place;
            for slot in order.get_mut(at..=count)? {
                core::mem::swap(slot, &mut carried);
            }
        }
        Some(order)
    }

    /// Draws for all regions, in the order of their names.
    fn draw(&mut self, bytes: &[u8], order: &[u16]) -> Option<()> {
        let mut drawn = 0_usize;
        for has_weight in [true, false] {
            for place in order {
                let (weight, name) = self.known(bytes, usize::from(*place))?;
                if (weight > 0) == has_weight {
                    let candidate = Candidate::new(&self.key, name, weight, *place);
                    *self.candidates.get_mut(drawn)? = candidate;
                    drawn = drawn.saturating_add(1);
                }
            }
            if self.weighted == 0 {
                self.weighted = drawn;
            }
        }
        Some(())
    }
    /// The weight and the name of a region.
    fn known<'b>(&self, bytes: &'b [u8], place: usize) -> Option<(u16, &'b [u8])> {
        let at = self.region_at.get(..self.regions)?.get(place)?;
        Reader::at(bytes, usize::try_from(*at).ok()?)?.known_region()
    }

    /// Its number.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.regions
    }

    /// Whether it is [`NONE`](Self::NONE).
    pub fn is_empty(&self) -> bool {
        self.regions == 0
    }

    /// The name of the region at `place`, from the bytes it was read from.
    pub fn name<'b>(&self, bytes: &'b [u8], place: usize) -> Option<&'b str> {
        let (_, name) = self.known(bytes, place)?;
        core::str::from_utf8(name).ok()
    }

    /// Whose table it is, from the bytes it was read from.
    pub fn deployment<'b>(&self, bytes: &'b [u8]) -> &'b str {
        let text = Reader::at(bytes, self.deployment_at).and_then(|mut reader| reader.text());
        text.unwrap_or_default()
    }

    /// How the table of `bytes` stands to another one, which is held.
    pub fn succession(&self, bytes: &[u8], held: &TableIndex, held_bytes: &[u8]) -> Succession {
        Succession::of(
            (self.epoch, self.deployment(bytes)),
            (held.epoch, held.deployment(held_bytes)),
        )
    }

    /// Where the tenant goes at `now`; `bytes` are those it was read from.
    ///
    /// # Errors
    /// When no region may serve it.
    #[inline]
    pub fn decide(
        &self,
        bytes: &[u8],
        tenant: TenantId<'_>,
        now: Timestamp,
    ) -> Result<Decision, ResidencyUnavailable> {
        let slots = match now.0 > self.valid_until {
            true => &SlotRule::BLUE,
            false => &self.slots,
        };
        let h = self.key.sip13(tenant.as_str().as_bytes());
        decide(InPlace { index: self, bytes }, tenant, h, slots)
    }
}

/// A table in its bytes, as a decision asks it.
#[derive(Clone, Copy)]
struct InPlace<'t> {
    index: &'t TableIndex,
    bytes: &'t [u8],
}

impl<'t> InPlace<'t> {
    fn draws(self) -> Draws<'t> {
        let candidates = self.index.candidates.get(..self.index.regions);
        let candidates = candidates.unwrap_or_default();
        let (weighted, spare) = candidates
            .split_at_checked(self.index.weighted)
            .unwrap_or((candidates, &[]));
        Draws { weighted, spare }
    }

    /// The rule that fits the tenant best, literals first.
    fn rule(self, kind: Kind, tenant: TenantId<'_>) -> Option<Rule<'t>> {
        let id = tenant.as_str().as_bytes();
        let [residency, pins, slots] = self.index.lists;
        let [literals, beginnings] = match kind {
            Kind::Residency => residency,
            Kind::Pins => pins,
            Kind::Slots => slots,
        };
        let literal = self.last_up_to(literals, kind, id);
        if let Some(rule) = literal.filter(|rule| rule.text == id) {
            return Some(rule);
        }
        let mut known = id;
        loop {
            let rule = self.last_up_to(beginnings, kind, known)?;
            let same = known
                .iter()
                .zip(rule.text)
                .take_while(|(one, other)| one == other);
            let common = same.count();
            if common == rule.text.len() {
                return Some(rule);
            }
            // Every beginning of the id is one of this rule's text too, so none is longer than that.
            known = known.get(..common)?;
        }
    }

    /// The last rule of the list whose text is not behind `key`.
    fn last_up_to(self, list: List, kind: Kind, key: &[u8]) -> Option<Rule<'t>> {
        let mut reader = Reader::at(self.bytes, list.at)?;
        let offsets: &[[u8; 4]] = reader.chunks(list.count)?;
        let at = |offset: &[u8; 4]| {
            let at = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
            Reader::at(self.bytes, at)
        };
        let up_to = |offset: &[u8; 4]| {
            let text = at(offset).and_then(|mut reader| reader.bytes());
            text.is_some_and(|text| text <= key)
        };
        let behind = offsets.partition_point(up_to);
        at(offsets.get(behind.checked_sub(1)?)?)?.rule(kind)
    }
}

impl<'t> Facts for InPlace<'t> {
    type Place = [u8; 2];

    fn regions(self) -> usize {
        self.index.regions
    }

    fn sticky(self) -> Sticky {
        self.index.sticky
    }

    fn policy(self) -> FailoverPolicy {
        self.index.policy
    }

    fn primary(self) -> usize {
        self.index.primary
    }

    fn status(self, place: usize) -> RegionStatus {
        self.index.health.get(place).copied().unwrap_or_default()
    }

    fn everybody(self, h: u64) -> usize {
        self.index.everybody.choice(h, self.draws())
    }

    fn first_of(self, bucket: u16, eligible: impl Fn(u16) -> bool) -> Option<u16> {
        self.draws().first_of(bucket, eligible)
    }

    fn has_rules(self) -> bool {
        self.index.has_rules
    }

    fn residency<'r>(self, tenant: TenantId<'_>) -> Option<&'r [[u8; 2]]>
    where
        Self: 'r,
    {
        self.rule(Kind::Residency, tenant).map(|rule| rule.places)
    }

    fn pin(self, tenant: TenantId<'_>) -> Option<usize> {
        let rule = self.rule(Kind::Pins, tenant);
        rule.map(|rule| usize::from(rule.value))
    }

    fn slot(self, tenant: TenantId<'_>) -> Option<Slot> {
        let rule = self.rule(Kind::Slots, tenant)?;
        SLOTS.get(usize::from(rule.value)).copied()
    }
}
