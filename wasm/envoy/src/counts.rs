//! Counting under one table, attempt by attempt.
//!
//! What counts is an attempt, where the filter in front of a cluster (`attempt.rs`) sees it: there is one of them for
//! each region that a request comes to, and it sees each pool's own answer and the time that took. The filter before
//! the router sees only the last answer, and of a request that a second region has saved no error at all. But it
//! alone knows the tenant, its cohort and the table, so it leaves a [`Flight`] for the attempts to find: not in a
//! header, which upstreams would see, but under a number in Envoy's own state of the request. And it counts what
//! no attempt was made for: a pool without an address, a cluster or a host.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use halcyon_core::placement::Slot;
use halcyon_core::table::Table;
use halcyon_core::telemetry::{Cell as Counted, ReleaseOf, Taken, Tally};
use proxy_wasm::hostcalls;

use crate::plugin::property;
use crate::runtime::micros;

/// A request whose client has left was an error of the pool if it had waited so long for an answer, in microseconds;
/// before, the client may have had any reason, and nobody knows what would have become of it. The other edges go by
/// the same.
const GIVEN_UP: u64 = 500_000;

/// The state of a request in which the number of its flight is.
const NUMBER: &str = "halcyon_flight";

thread_local! {
    /// The requests under way, by their numbers: both filters of a thread are in one machine, and see the same.
    static FLIGHTS: RefCell<BTreeMap<u32, Rc<Flight>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A pool: the place of its region in the table, and blue or green.
pub(crate) type Place = (usize, Slot);

/// What is counted under one table.
pub(crate) struct Counts {
    epoch: u64,
    release: Option<ReleaseOf>,
    regions: Vec<String>,
    /// Blue and green of each region.
    pools: RefCell<Vec<[Pool; 2]>>,
    /// Since when what is there has been counted.
    since: Cell<u64>,
}

/// What is counted of a pool.
#[derive(Default)]
struct Pool {
    /// By cohort; `None` is that of tenants without one.
    tallies: BTreeMap<Option<u8>, Tally>,
    /// Requests that wait for an answer.
    open: u64,
}

impl Counts {
    pub(crate) fn new(table: &Table) -> Self {
        let regions = table.router().regions().iter().map(ToString::to_string);
        let regions: Vec<String> = regions.collect();
        let release = table.release().map(|(id, weight)| ReleaseOf {
            id: id.to_owned(),
            weight,
        });
        let pools = regions.iter().map(|_| Default::default()).collect();
        Self {
            epoch: table.epoch().number(),
            release,
            regions,
            pools: RefCell::new(pools),
            since: Cell::new(micros()),
        }
    }

    /// Whether they are those of this table.
    pub(crate) fn are_of(&self, table: &Table) -> bool {
        self.epoch == table.epoch().number()
    }

    fn change(&self, (place, slot): Place, how: impl FnOnce(&mut Pool)) {
        let mut pools = self.pools.borrow_mut();
        let pools = pools.get_mut(place).map(|[blue, green]| match slot {
            Slot::Blue => blue,
            Slot::Green => green,
        });
        if let Some(pool) = pools {
            how(pool);
        }
    }

    /// What has been counted since the last time. While a release is under way no request is worth telling too:
    /// nothing failed. But not by a thread that never had one, as that of Envoy's own affairs, which is no edge.
    pub(crate) fn take(&self, now: u64, has_told: bool) -> Option<Taken> {
        let since = self.since.replace(now);
        let mut cells = Vec::new();
        let mut pools = self.pools.borrow_mut();
        for (region, pools) in self.regions.iter().zip(pools.iter_mut()) {
            for (slot, pool) in [Slot::Blue, Slot::Green].into_iter().zip(pools) {
                let mut open = pool.open;
                if pool.tallies.is_empty() && open > 0 {
                    pool.tallies.insert(None, Tally::default());
                }
                let tallies = std::mem::take(&mut pool.tallies).into_iter();
                cells.extend(tallies.map(|(cohort, tally)| Counted {
                    region: region.clone(),
                    slot,
                    cohort,
                    tally,
                    open: std::mem::take(&mut open),
                }));
            }
        }
        let tells = !cells.is_empty() || (has_told && self.release.is_some());
        tells.then(|| Taken {
            release: self.release.clone(),
            lasted_ms: now.saturating_sub(since).div_euclid(1_000),
            until_ms: now.div_euclid(1_000),
            cells,
        })
    }
}

/// A request, as far as it is counted.
pub(crate) struct Flight {
    number: u32,
    counts: Rc<Counts>,
    cohort: Option<u8>,
    first: Place,
    second: Option<Place>,
    attempts: Cell<usize>,
    /// Its client has got an answer, or the beginning of one.
    answered: Cell<bool>,
    /// Its client has left before that.
    left: Cell<bool>,
}

impl Flight {
    /// That of a request, for its attempts to find.
    pub(crate) fn begin(
        number: u32,
        counts: Rc<Counts>,
        cohort: Option<u8>,
        (first, second): (Place, Option<Place>),
    ) -> Rc<Self> {
        let flight = Rc::new(Self {
            number,
            counts,
            cohort,
            first,
            second,
            attempts: Cell::new(0),
            answered: Cell::new(false),
            left: Cell::new(false),
        });
        let key = vec![NUMBER];
        // Without it nothing of this one is counted, and everything else is as ever.
        if hostcalls::set_property(key, Some(&number.to_le_bytes())).is_ok() {
            FLIGHTS.with_borrow_mut(|all| all.insert(number, flight.clone()));
        }
        flight
    }

    /// That of the request of which this is an attempt. `None` where nothing is counted.
    pub(crate) fn found() -> Option<Rc<Self>> {
        if FLIGHTS.with_borrow(BTreeMap::is_empty) {
            return None;
        }
        let number = property(&[NUMBER])?;
        let number = u32::from_le_bytes(number.try_into().ok()?);
        FLIGHTS.with_borrow(|all| all.get(&number).cloned())
    }

    /// Begins to count an attempt.
    pub(crate) fn attempt(self: Rc<Self>, is_second: bool) -> Option<Counting> {
        let at = if is_second { self.second? } else { self.first };
        self.attempts.set(self.attempts.get().saturating_add(1));
        let open = |pool: &mut Pool| pool.open = pool.open.saturating_add(1);
        self.counts.change(at, open);
        Some(Counting {
            flight: self,
            at,
            begun: micros(),
            failed: None,
        })
    }

    /// The answer to the client begins: that of an attempt, or Envoy's own, for which there is no attempt where the
    /// last pool was `nowhere` to be found.
    pub(crate) fn answered(&self, nowhere: bool, by_second: bool) {
        self.answered.set(true);
        let expected = if by_second { 2 } else { 1 };
        if nowhere && self.attempts.get() < expected {
            let at = if by_second {
                self.second
            } else {
                Some(self.first)
            };
            at.into_iter().for_each(|at| self.unsent(at));
        }
    }

    /// Counts a request that had nowhere to be sent to in this pool.
    pub(crate) fn unsent(&self, at: Place) {
        let count = |pool: &mut Pool| pool.count(self.cohort, true, 0);
        self.counts.change(at, count);
    }

    /// It is over. Envoy says so before it ends what is left of its attempts.
    pub(crate) fn end(&self) {
        self.left.set(!self.answered.get());
        FLIGHTS.with_borrow_mut(|all| all.remove(&self.number));
    }
}

impl Pool {
    fn count(&mut self, cohort: Option<u8>, failed: bool, micros: u64) {
        self.tallies
            .entry(cohort)
            .or_default()
            .count(failed, micros);
    }
}

/// An attempt that waits for its answer. It is counted when this is dropped.
pub(crate) struct Counting {
    flight: Rc<Flight>,
    at: Place,
    begun: u64,
    /// By its answer, if there was one.
    failed: Option<bool>,
}

impl Counting {
    /// Its answer has begun, with this status.
    pub(crate) fn answered(mut self, status: Option<u16>) {
        self.failed = Some(status.is_none_or(|status| (500..=599).contains(&status)));
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let took = micros().saturating_sub(self.begun);
        let left_soon = self.flight.left.get() && took < GIVEN_UP;
        self.flight.counts.change(self.at, |pool| {
            pool.open = pool.open.saturating_sub(1);
            match self.failed {
                None if left_soon => pool.tallies.entry(self.flight.cohort).or_default().leave(),
                failed => pool.count(self.flight.cohort, failed.unwrap_or(true), took),
            }
        });
    }
}
