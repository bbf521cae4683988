//! The patterns without their values: not generic, so that there is one look-up in a program.

use alloc::string::String;
use alloc::vec::Vec;

use crate::hash::TENANT_ID_MAX;
use crate::sorted::insert_at;

/// Patterns by the order in which they were added, their places.
///
/// One text and a table of hashes: a rule takes its own bytes and a few words, and a hundred thousand of
/// them are copied in one go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// All patterns, one behind the other.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Each pattern's place plus one, from its hash on the first that was free; 0 is free. A power of two
    /// long, and half of it free at least.
    slots: Vec<usize>,
    /// The lengths of what stands before a `*`, in bytes, each once, the greatest first.
    lengths: Vec<usize>,
}

/// Why a pattern was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdded {
    /// A `*` stands elsewhere than at its end.
    NoPattern,
    /// No tenant id has so many bytes.
    Length(usize),
    /// It is there already.
    Twice,
}

/// A pattern's order: literals first, each kind by its bytes.
type Order<'p> = (bool, &'p str);

/// A pattern taken apart: whether it ends in a `*`, and what stands before it.
fn order(pattern: &str) -> Order<'_> {
    match pattern.strip_suffix('*') {
        Some(beginning) => (true, beginning),
        None => (false, pattern),
    }
}

impl Keys {
    /// Adds a pattern. Its place is how many there were.
    pub(super) fn add(&mut self, pattern: &str) -> Result<(), NotAdded> {
        let (begins, text) = order(pattern);
        if text.bytes().any(|byte| byte == b'*') {
            return Err(NotAdded::NoPattern);
        }
        if text.len() > TENANT_ID_MAX || (text.is_empty() && !begins) {
            return Err(NotAdded::Length(text.len()));
        }
        if self.find((begins, text)).is_some() {
            return Err(NotAdded::Twice);
        }
        if self.slots.len() <= self.ends.len().saturating_mul(2) {
            self.slots = alloc::vec![0; self.slots.len().saturating_mul(2).max(8)];
            for place in 0..self.ends.len() {
                self.enter(place);
            }
        }
        self.text.push_str(pattern);
        self.ends.push(self.text.len());
        self.enter(self.ends.len().saturating_sub(1));
        if begins && let Err(at) = self.lengths.binary_search_by(|known| text.len().cmp(known)) {
            insert_at(&mut self.lengths, at, text.len());
        }
        Ok(())
    }

    /// Enters a pattern into the table of hashes.
    fn enter(&mut self, place: usize) {
        let mut at = self.hash(order(self.at(place)));
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = place.saturating_add(1);
                return;
            }
            at = self.next(at);
        }
    }

    /// Where to look for a pattern first.
    fn hash(&self, (begins, text): Order<'_>) -> usize {
        // FNV-1a: patterns are few and of one author, so nobody is to be kept from choosing them badly.
        let mut hash = 0x811c_9dc5_u32 ^ u32::from(begins);
        for byte in text.bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        hash ^= hash >> 15;
        usize::try_from(hash).unwrap_or(0) & self.slots.len().wrapping_sub(1)
    }

    /// Where to look next.
    fn next(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }

    /// The place of a pattern.
    fn find(&self, wanted: Order<'_>) -> Option<usize> {
        let mut at = self.hash(wanted);
        loop {
            let place = self.slots.get(at)?.checked_sub(1)?;
            if order(self.at(place)) == wanted {
                return Some(place);
            }
            at = self.next(at);
        }
    }

    /// The place of a pattern as it is written.
    pub(super) fn place_of(&self, pattern: &str) -> Option<usize> {
        self.find(order(pattern))
    }

    /// The pattern at a place.
    pub(super) fn at(&self, place: usize) -> &str {
        let before = place.checked_sub(1).and_then(|place| self.ends.get(place));
        let begin = before.copied().unwrap_or(0);
        let end = self.ends.get(place).copied().unwrap_or(0);
        self.text.get(begin..end).unwrap_or_default()
    }

    /// The place of the pattern that fits best all tenants of `pattern`, or the tenant it is the id of.
    pub(super) fn covering(&self, pattern: &str) -> Option<usize> {
        let (begins, text) = order(pattern);
        if !begins && let Some(place) = self.find((false, text)) {
            return Some(place);
        }
        for length in &self.lengths {
            // A length inside a character is no beginning of this text.
            if let Some(beginning) = text.get(..*length)
                && let Some(place) = self.find((true, beginning))
            {
                return Some(place);
            }
        }
        None
    }

    /// Every pattern, in their order.
    pub(crate) fn each(&self, of: &mut dyn FnMut(&str)) {
        for place in self.in_order() {
            of(self.at(place));
        }
    }

    /// The places of literals, or of the others, with what stands before their `*`, by its bytes.
    pub(crate) fn texts(&self, exact: bool) -> Vec<(&str, usize)> {
        let mut texts = Vec::new();
        for place in self.in_order() {
            let (begins, text) = order(self.at(place));
            if begins != exact {
                texts.push((text, place));
            }
        }
        texts
    }

    /// All places, in the order of their patterns.
    pub(super) fn in_order(&self) -> Vec<usize> {
        self.sorted(0, self.ends.len())
    }

    /// The places from `from` to before `to`, in the order of their patterns: a merge sort, since that of
    /// the library is 5 KB of an edge's module.
    fn sorted(&self, from: usize, to: usize) -> Vec<usize> {
        let half = to.saturating_sub(from).div_euclid(2);
        if half == 0 {
            let mut one = Vec::new();
            if from < to {
                one.push(from);
            }
            return one;
        }
        let middle = from.saturating_add(half);
        let mut first = self.sorted(from, middle);
        let second = self.sorted(middle, to);
        let order_at = |places: &[usize], at: usize| Some(order(self.at(*places.get(at)?)));
        // Mostly they are in order already: a table's are.
        if order_at(&first, first.len().saturating_sub(1)) <= order_at(&second, 0) {
            first.extend_from_slice(&second);
            return first;
        }
        let mut merged = Vec::with_capacity(to.saturating_sub(from));
        let (mut first, mut second) = (&first[..], &second[..]);
        while let (Some((one, behind_one)), Some((other, behind_other))) =
            (first.split_first(), second.split_first())
        {
            if order(self.at(*one)) < order(self.at(*other)) {
                merged.push(*one);
                first = behind_one;
            } else {
                merged.push(*other);
                second = behind_other;
            }
        }
        merged.extend_from_slice(first);
        merged.extend_from_slice(second);
        merged
    }

    /// Of places in order, those of literals and of patterns that are closer than `pattern` and whose tenants
    /// are all tenants of it.
    pub(super) fn within<'p>(&self, pattern: &str, in_order: &'p [usize]) -> [&'p [usize]; 2] {
        // A literal has none.
        let (true, beginning) = order(pattern) else {
            return [&[], &[]];
        };
        let literals = self.beginning_with((false, beginning), in_order);
        let mut closer = self.beginning_with((true, beginning), in_order);
        // The pattern itself would be the first.
        if let Some((first, rest)) = closer.split_first()
            && self.at(*first) == pattern
        {
            closer = rest;
        }
        [literals, closer]
    }

    /// Of places in order, those of one kind that begin with a text.
    fn beginning_with<'p>(&self, (kind, text): Order<'_>, in_order: &'p [usize]) -> &'p [usize] {
        let begin = in_order.partition_point(|place| order(self.at(*place)) < (kind, text));
        let (_, from) = in_order.split_at_checked(begin).unwrap_or_default();
        let begins = |place: &usize| {
            let (of_kind, of_text) = order(self.at(*place));
            of_kind == kind && of_text.starts_with(text)
        };
        let end = from.partition_point(begins);
        from.get(..end).unwrap_or_default()
    }
}
