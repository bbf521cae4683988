//! Who moves when one table follows another.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::{Epoch, Table};
use crate::hash::TenantId;
use crate::placement::{Joint, Placement, Router};
use crate::sorted::insert_at;
use crate::time::Timestamp;

/// How many of everything are listed at most.
const LISTED: usize = 100;

/// Who moves between two tables, and what each region has after that.
///
/// Numbers of tenants are counts `of` all: the shares are what they are to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// The epoch of the table that tenants come from.
    pub from: Epoch,
    /// That of the one they go to.
    pub to: Epoch,
    /// Whether every hash has been counted, see [`Joint::is_exact`].
    pub exact: bool,
    /// What counts are of.
    pub of: u64,
    /// How many tenants that no rule is about go to another region.
    pub moved: u64,
    /// Each region of either table, first those of the one that tenants go to, in their order.
    pub regions: Vec<RegionMoves>,
    /// From where to where, the greatest first, at most 100.
    pub flows: Vec<Flow>,
    /// How many more flows there are.
    pub more_flows: usize,
    /// Green's share before and after, in hundredths of a percent.
    pub green: [u64; 2],
    /// Groups of tenants that a rule of either table is about, at most 100.
    pub groups: Vec<GroupMoves>,
    /// How many more groups there are.
    pub more_groups: usize,
    /// Single tenants that a rule of either table names and that move, at most 100.
    pub tenants: Vec<TenantMoves>,
    /// How many more of them move.
    pub more_tenants: usize,
}

/// What becomes of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionMoves {
    /// Its name; none for tenants that no region serves.
    pub region: Option<String>,
    /// What it has before.
    pub before: u64,
    /// And after.
    pub after: u64,
    /// How many of its tenants stay.
    pub stays: u64,
    /// How many leave it.
    pub leaves: u64,
    /// How many come to it.
    pub arrives: u64,
    /// What it has after in percent of what it had; none where it had nothing.
    pub load_percent: Option<u64>,
}

impl RegionMoves {
    /// Nobody yet.
    fn of(region: Option<String>) -> Self {
        Self {
            region,
            before: 0,
            after: 0,
            stays: 0,
            leaves: 0,
            arrives: 0,
            load_percent: None,
        }
    }
}

/// Tenants that go from one region to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Where they are before; none is nowhere.
    pub from: Option<String>,
    /// And after.
    pub to: Option<String>,
    /// How many.
    pub count: u64,
}

/// What becomes of the tenants of one pattern, as far as no longer pattern is about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupMoves {
    /// The pattern.
    pub tenants: String,
    /// How many of them move.
    pub moved: u64,
    /// Of how many.
    pub of: u64,
}

/// One tenant that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantMoves {
    /// Its id.
    pub tenant: String,
    /// Where it is before; none is nowhere.
    pub from: Option<String>,
    /// And after.
    pub to: Option<String>,
}

impl Moves {
    /// Who moves when `to` follows `from`, both as they decide at `now`.
    ///
    /// ```
    /// use halcyon_core::table::{Moves, Table};
    /// use halcyon_core::time::Timestamp;
    ///
    /// let table = |epoch: u64, status: &str| {
    ///     let json = format!(r#"{{"format":1,"epoch":{epoch},"issued_at":"2026-01-01T00:00:00Z","deployment":"shop",
    ///         "regions":[{{"name":"us-east","weight":1,"status":"{status}"}},{{"name":"us-west","weight":1,"status":"up"}}],
    ///         "sticky":"hash","failover":"ordered"}}"#);
    ///     Table::from_json(&json).unwrap()
    /// };
    /// let moves = Moves::between(&table(1, "up"), &table(2, "down"), Timestamp(0));
    /// assert_eq!((moves.moved, moves.of), (1, 2));
    /// assert_eq!(moves.regions[1].load_percent, Some(200));
    /// ```
    pub fn between(from: &Table, to: &Table, now: Timestamp) -> Self {
        let sides = Sides { from, to };
        let joint = sides.joint(None);
        let (mut patterns, names) = sides.ruled();
        let mut tenants = Vec::new();
        let mut more_tenants = 0_usize;
        for name in names {
            let Some(moves) = sides.one(&name, now) else {
                continue;
            };
            match tenants.len() < LISTED {
                true => tenants.push(moves),
                false => more_tenants = more_tenants.saturating_add(1),
            }
        }
        let more_groups = patterns.len().saturating_sub(LISTED);
        patterns.truncate(LISTED);
        let mut groups = Vec::new();
        for pattern in patterns {
            groups.push(sides.group(pattern));
        }
        let (regions, moved) = sides.regions(&joint);
        let (flows, more_flows) = sides.flows(&joint);
        Self {
            from: from.epoch(),
            to: to.epoch(),
            exact: joint.is_exact(),
            of: joint.total(),
            moved,
            regions,
            flows,
            more_flows,
            green: [from, to].map(|table| table.slots(now).green_below()),
            groups,
            more_groups,
            tenants,
            more_tenants,
        }
    }
}

/// The two tables.
struct Sides<'t> {
    from: &'t Table,
    to: &'t Table,
}

impl Sides<'_> {
    fn joint(&self, like: Option<TenantId<'_>>) -> Joint {
        let (from, to) = (self.from.router(), self.to.router());
        from.joint(self.from.health(), to, self.to.health(), like)
    }

    fn name_before(&self, place: Option<usize>) -> Option<&str> {
        name(self.from.router(), place)
    }

    fn name_after(&self, place: Option<usize>) -> Option<&str> {
        name(self.to.router(), place)
    }

    /// Each region, and how many move in all.
    fn regions(&self, joint: &Joint) -> (Vec<RegionMoves>, u64) {
        let mut regions: Vec<RegionMoves> = Vec::new();
        let mut places = |router: &Router| {
            let mut places = Vec::new();
            for name in router.regions() {
                let known = |region: &RegionMoves| region.region.as_deref() == Some(name.as_str());
                let place = regions.iter().position(known);
                places.push(place.unwrap_or(regions.len()));
                if place.is_none() {
                    regions.push(RegionMoves::of(Some(String::from(name.as_str()))));
                }
            }
            places
        };
        let news = places(self.to.router());
        let olds = places(self.from.router());
        let nowhere = regions.len();
        regions.push(RegionMoves::of(None));
        let at = |places: &[usize], place: Option<usize>| {
            let place = place.and_then(|place| places.get(place));
            place.copied().unwrap_or(nowhere)
        };
        let mut moved = 0_u64;
        for (from, to, count) in joint.pairs() {
            let (from, to) = (at(&olds, from), at(&news, to));
            let stays = from == to;
            if !stays {
                moved = moved.saturating_add(count);
            }
            if let Some(region) = regions.get_mut(from) {
                region.before = region.before.saturating_add(count);
                let part = if stays {
                    &mut region.stays
                } else {
                    &mut region.leaves
                };
                *part = part.saturating_add(count);
            }
            if let Some(region) = regions.get_mut(to) {
                region.after = region.after.saturating_add(count);
                if !stays {
                    region.arrives = region.arrives.saturating_add(count);
                }
            }
        }
        if regions
            .last()
            .is_some_and(|nowhere| nowhere.before == 0 && nowhere.after == 0)
        {
            regions.pop();
        }
        for region in &mut regions {
            region.load_percent = region.after.saturating_mul(100).checked_div(region.before);
        }
        (regions, moved)
    }

    /// The greatest flows, and how many others there are.
    fn flows(&self, joint: &Joint) -> (Vec<Flow>, usize) {
        let mut flows: Vec<Flow> = Vec::new();
        let mut more = 0_usize;
        for (from, to, count) in joint.pairs() {
            let (from, to) = (self.name_before(from), self.name_after(to));
            if from == to {
                continue;
            }
            // Kept in order as they come: a sort is as much code as all of this.
            let at = flows.partition_point(|flow| flow.count >= count);
            if at < LISTED {
                insert_at(
                    &mut flows,
                    at,
                    Flow {
                        from: from.map(String::from),
                        to: to.map(String::from),
                        count,
                    },
                );
            }
            if at >= LISTED || flows.len() > LISTED {
                more = more.saturating_add(1);
                flows.truncate(LISTED);
            }
        }
        (flows, more)
    }

    /// Patterns and tenant ids of the rules on regions of either table, each once.
    fn ruled(&self) -> (Vec<String>, Vec<String>) {
        let (mut patterns, mut names) = (Vec::new(), Vec::new());
        for table in [self.from, self.to] {
            let rules = table.router().rules();
            let mut add = |pattern: &str| {
                let list = match pattern.ends_with('*') {
                    true => &mut patterns,
                    false => &mut names,
                };
                let known = |known: &String| known.as_str().cmp(pattern);
                if let Err(at) = list.binary_search_by(known) {
                    insert_at(list, at, String::from(pattern));
                }
            };
            rules.residency.keys().each(&mut add);
            rules.pins.keys().each(&mut add);
        }
        (patterns, names)
    }

    fn one(&self, tenant: &str, now: Timestamp) -> Option<TenantMoves> {
        let id = TenantId::of(tenant)?;
        let region = |table: &Table| {
            let placed = table.route(id, now).ok();
            placed.map(|Placement { region, .. }| String::from(region.as_str()))
        };
        let (from, to) = (region(self.from), region(self.to));
        (from != to).then(|| TenantMoves {
            tenant: String::from(tenant),
            from,
            to,
        })
    }

    fn group(&self, tenants: String) -> GroupMoves {
        // No rule names a tenant that ends in a star, so the pattern itself is one of its tenants.
        let joint = self.joint(TenantId::of(&tenants));
        let of = joint.total();
        let mut moved = 0_u64;
        for (from, to, count) in joint.pairs() {
            if self.name_before(from) != self.name_after(to) {
                moved = moved.saturating_add(count);
            }
        }
        GroupMoves { tenants, moved, of }
    }
}

fn name(router: &Router, place: Option<usize>) -> Option<&str> {
    let name = router.regions().get(place?)?;
    Some(name.as_str())
}
