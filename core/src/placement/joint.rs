//! What two routers do with the same tenants, counted and not sampled.
//!
//! A decision comes from three parts of a tenant's hash `h`: the remainder of `h` by a number of regions,
//! the bucket (its top 16 bits), and the remainder of `fmix64(h)` by a number of survivors. Each part is
//! gone through as far as it decides anything: pairs of remainders by their least common multiple, all
//! 65,536 buckets, pairs of the other remainders. Two routers of one key see the same three parts; of
//! different keys, a tenant's parts under one say nothing of those under the other.

use alloc::vec;
use alloc::vec::Vec;

use super::allowed::Allowed;
use super::view::{Known, View};
use super::{RegionStatus, Router, walk};
use crate::hash::TenantId;

/// How many of all tenants go from each region under one router to each region under another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    columns: usize,
    /// By the first router's place, then by the second's; the place behind the last region is nowhere.
    counts: Vec<u64>,
    /// What all of them add up to.
    total: u64,
    /// Whether every hash has been counted; else it rests on parts of it having nothing to do with each
    /// other.
    exact: bool,
}

impl Joint {
    /// The same in the smallest whole numbers; where those do not fit into 2^53, which is what JavaScript
    /// counts to, in sixteenths, rounded down.
    fn reduced(mut self) -> Self {
        let mut by = common_of(&self.counts);
        if self.total.checked_div(by).unwrap_or(0) >= 1 << 53 {
            by = by.saturating_mul(16);
        }
        for count in &mut self.counts {
            *count = count.checked_div(by).unwrap_or(0);
        }
        self.total = sum(&self.counts);
        self
    }

    /// What the counts are of, less than 2^53.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether every hash has been counted, up to less than one in 2^27 of a count. Else it is what is
    /// expected where a part of the hash has nothing to do with another: its mixed remainder with the
    /// rest, and one key's with another's.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Every pair of places that has any, with their number; `None` is nowhere.
    pub fn pairs(&self) -> impl Iterator<Item = (Option<usize>, Option<usize>, u64)> {
        Pairs { joint: self, at: 0 }
    }

    /// The row and the column of a cell.
    fn cell(&self, at: usize) -> (usize, usize) {
        cell(at, self.columns)
    }

    /// What each row adds up to.
    fn of_rows(&self) -> Vec<u64> {
        let (nowhere, _) = self.cell(self.counts.len().saturating_sub(1));
        let mut rows = vec![0; nowhere.saturating_add(1)];
        for (at, count) in self.counts.iter().enumerate() {
            add(rows.get_mut(self.cell(at).0), *count);
        }
        rows
    }
}

fn cell(at: usize, columns: usize) -> (usize, usize) {
    let row = at.checked_div(columns).unwrap_or(0);
    (row, at.checked_rem(columns).unwrap_or(0))
}

fn at(numbers: &[u64], place: usize) -> u64 {
    numbers.get(place).copied().unwrap_or(0)
}

/// The pairs of places that have any.
struct Pairs<'j> {
    joint: &'j Joint,
    /// The cell that comes next.
    at: usize,
}

impl Iterator for Pairs<'_> {
    type Item = (Option<usize>, Option<usize>, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let last = self.joint.counts.len().saturating_sub(1);
        let nowhere = self.joint.cell(last);
        loop {
            let count = *self.joint.counts.get(self.at)?;
            let (from, to) = self.joint.cell(self.at);
            self.at = self.at.saturating_add(1);
            if count > 0 {
                let from = (from != nowhere.0).then_some(from);
                return Some((from, (to != nowhere.1).then_some(to), count));
            }
        }
    }
}

/// Pairs of outcomes under one part of the hash, some of them open.
struct Part {
    columns: usize,
    /// Both are known.
    known: Vec<u64>,
    /// Only the first is, or only the second.
    rows: Vec<u64>,
    cols: Vec<u64>,
    /// Neither is.
    open: u64,
    total: u64,
}

fn add(cell: Option<&mut u64>, number: u64) {
    if let Some(cell) = cell {
        *cell = cell.saturating_add(number);
    }
}

impl Part {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            columns,
            known: vec![0; rows.saturating_mul(columns)],
            rows: vec![0; rows],
            cols: vec![0; columns],
            open: 0,
            total: 0,
        }
    }

    fn count(&mut self, from: Known, to: Known) {
        self.total = self.total.saturating_add(1);
        match (from, to) {
            (Known::Place(from), Known::Place(to)) => {
                let at = from.saturating_mul(self.columns).saturating_add(to);
                add(self.known.get_mut(at), 1);
            }
            (Known::Place(from), Known::Open) => add(self.rows.get_mut(from), 1),
            (Known::Open, Known::Place(to)) => add(self.cols.get_mut(to), 1),
            (Known::Open, Known::Open) => self.open = self.open.saturating_add(1),
        }
    }

    /// What is open decided by a part that has nothing to do with this one.
    fn decided_by(self, inner: &Joint) -> Joint {
        let columns = self.columns;
        let of_rows = inner.of_rows();
        let mut of_cols = vec![0_u64; columns];
        for (place, count) in inner.counts.iter().enumerate() {
            add(of_cols.get_mut(cell(place, columns).1), *count);
        }
        let mut counts = self.known;
        for (place, count) in counts.iter_mut().enumerate() {
            let (row, col) = cell(place, columns);
            let inside = at(&inner.counts, place);
            *count = count
                .saturating_mul(inner.total)
                .saturating_add(at(&self.rows, row).saturating_mul(at(&of_cols, col)))
                .saturating_add(at(&self.cols, col).saturating_mul(at(&of_rows, row)))
                .saturating_add(self.open.saturating_mul(inside));
        }
        Joint {
            columns,
            counts,
            total: self.total.saturating_mul(inner.total),
            exact: true,
        }
    }
}

fn sum(numbers: &[u64]) -> u64 {
    let mut sum = 0_u64;
    for number in numbers {
        sum = sum.saturating_add(*number);
    }
    sum
}

/// The greatest number that divides all of them, at least 1.
fn common_of(numbers: &[u64]) -> u64 {
    let mut divisor = 0;
    for number in numbers {
        divisor = common(divisor, *number);
    }
    divisor.max(1)
}

/// The greatest number that divides both; of 0 and another, the other.
fn common(a: u64, b: u64) -> u64 {
    match a.checked_rem(b) {
        None => a,
        Some(rest) => common(b, rest),
    }
}

/// Counts every pair of remainders that one number can have by `a` and by `b`.
fn count_remainders(
    part: &mut Part,
    a: usize,
    b: usize,
    outcome: impl Fn(usize, usize) -> (Known, Known),
) {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let step = usize::try_from(common(wide(a), wide(b)))
        .unwrap_or(1)
        .max(1);
    for from in 0..a {
        // Two numbers agree where they do modulo the greatest common divisor, and then once in the least
        // common multiple.
        for to in (from.checked_rem(step).unwrap_or(0)..b).step_by(step) {
            let (from, to) = outcome(from, to);
            part.count(from, to);
        }
    }
}

/// Of two routers with the same key.
fn of_one_key(from: &View<'_>, to: &View<'_>) -> Joint {
    let part = || {
        let (rows, columns) = (from.nowhere(), to.nowhere());
        Part::new(rows.saturating_add(1), columns.saturating_add(1))
    };
    let mut mixed = part();
    count_remainders(&mut mixed, from.survivors(), to.survivors(), |a, b| {
        (from.by_survivor(a), to.by_survivor(b))
    });
    let mixes = mixed.total > 1;
    // Nothing is open behind it.
    let nothing = Joint {
        columns: mixed.columns,
        counts: vec![0; mixed.known.len()],
        total: 1,
        exact: true,
    };
    let mixed = mixed.decided_by(&nothing);

    let mut bucketed = part();
    let buckets = from.by_buckets() || to.by_buckets();
    for bucket in 0..=(if buckets { u16::MAX } else { 0 }) {
        bucketed.count(from.by_bucket(bucket), to.by_bucket(bucket));
    }
    let bucketed = bucketed.decided_by(&mixed);

    let mut divided = part();
    count_remainders(&mut divided, from.remainders(), to.remainders(), |a, b| {
        (from.by_remainder(a), to.by_remainder(b))
    });
    let divides = divided.total > 1;
    Joint {
        exact: !mixes || !(buckets || divides),
        ..divided.decided_by(&bucketed)
    }
}

/// Of two routers with different keys: every tenant of one anywhere under the other.
fn of_two_keys(from: &View<'_>, to: &View<'_>) -> Joint {
    /// So that a product of two stays below 2^57.
    const MOST: u64 = 1 << 28;
    let alone = |view: &View<'_>| -> Vec<u64> {
        let both = of_one_key(view, view);
        let mut counts = both.of_rows();
        let common = common_of(&counts);
        let greatest = both.total.checked_div(common).unwrap_or(1);
        let scale = greatest.checked_div(MOST).unwrap_or(0).saturating_add(1);
        let half = scale.checked_div(2).unwrap_or(0);
        for count in &mut counts {
            let whole = count.checked_div(common).unwrap_or(0);
            *count = whole.saturating_add(half).checked_div(scale).unwrap_or(0);
        }
        counts
    };
    let (rows, cols) = (alone(from), alone(to));
    let mut counts = Vec::with_capacity(rows.len().saturating_mul(cols.len()));
    for row in &rows {
        for col in &cols {
            counts.push(row.saturating_mul(*col));
        }
    }
    Joint {
        columns: cols.len(),
        counts,
        total: sum(&rows).saturating_mul(sum(&cols)),
        exact: false,
    }
}

fn bounds<'r>(router: &'r Router, like: Option<TenantId<'_>>) -> (Allowed<'r>, Option<usize>) {
    match like {
        Some(tenant) => walk::bounds(router.under(&[]), tenant),
        None => (Allowed::All(router.len()), None),
    }
}

impl Router {
    /// How many tenants go where under this router and where under another, each with the health of its
    /// regions. Of all tenants that no rule is about, or of those that both routers' rules treat like
    /// `like`: rules are about single tenants, whose number nobody knows here.
    ///
    /// ```
    /// use halcyon_core::placement::Router;
    ///
    /// let of = |regions: &'static str| {
    ///     let env = move |name: &str| match name {
    ///         "REGIONS" => Some(regions.into()),
    ///         "TENANT_STICKY" => Some("hash".into()),
    ///         _ => None,
    ///     };
    ///     Router::from_lookup(&env).unwrap()
    /// };
    /// let joint = of("a,b,c").joint(&[], &of("a,b,c,d"), &[], None);
    /// let stay: u64 = joint.pairs().filter(|(from, to, _)| from == to).map(|(.., count)| count).sum();
    /// // A region more moves three quarters of all.
    /// assert_eq!((stay, joint.total(), joint.is_exact()), (3, 12, true));
    /// ```
    pub fn joint(
        &self,
        health: &[RegionStatus],
        other: &Router,
        others_health: &[RegionStatus],
        like: Option<TenantId<'_>>,
    ) -> Joint {
        let from = View::new(self, health, bounds(self, like));
        let to = View::new(other, others_health, bounds(other, like));
        let joint = match self.key() == other.key() {
            true => of_one_key(&from, &to),
            false => of_two_keys(&from, &to),
        };
        joint.reduced()
    }
}

#[cfg(test)]
mod tests {
    use super::Joint;

    fn reduced(counts: &[u64]) -> (alloc::vec::Vec<u64>, u64) {
        let joint = Joint {
            columns: counts.len(),
            counts: counts.into(),
            total: super::sum(counts),
            exact: true,
        };
        let joint = joint.reduced();
        (joint.counts, joint.total)
    }

    #[test]
    fn counts_are_the_smallest_whole_numbers_and_fit_into_what_javascript_counts_to() {
        assert_eq!(reduced(&[6, 0, 9]), ([2, 0, 3].into(), 5));
        assert_eq!(reduced(&[0, 0]), ([0, 0].into(), 0));
        let (counts, total) = reduced(&[(1 << 56) + 17, 1 << 55]);
        assert_eq!(counts, [(1 << 52) + 1, 1 << 51]);
        assert!(total < 1 << 53);
    }
}
