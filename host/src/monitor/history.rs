//! What probes have said lately, and for how long a region has been down today.

use std::collections::VecDeque;
use std::time::Duration;

use halcyon_core::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// So many probes of each region are kept.
const KEPT: usize = 40;

/// So many of the last events are looked at for what has been today before this server began.
pub(super) const EVENTS: u64 = 20_000;

const DAY: u64 = 86_400_000;

/// What a probe said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Probe {
    /// When it had its answer, or gave up.
    #[schema(value_type = String)]
    at: Timestamp,
    /// How long that took, in milliseconds.
    ms: u64,
    /// Why it failed; `null` where it passed.
    failed: Option<String>,
}

impl Probe {
    pub(super) fn of(outcome: &Result<(), String>, took: Duration, now: Timestamp) -> Self {
        Self {
            at: now,
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            failed: outcome.as_ref().err().cloned(),
        }
    }
}

/// What a region has been.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    probes: VecDeque<Probe>,
    down: Downtime,
}

/// A region's history as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Lately {
    /// The region.
    name: String,
    /// For how long tables have said today (UTC) that it is down, in milliseconds.
    down_ms: u64,
    /// How often it went down today, or was down when the day began.
    downs: u64,
    /// Its last probes, the oldest first, at most 40; none where nobody asks it.
    probes: Vec<Probe>,
}

impl History {
    pub(super) fn probed(&mut self, probe: Probe) {
        if self.probes.len() == KEPT {
            self.probes.pop_front();
        }
        self.probes.push_back(probe);
    }

    /// Says whether the region is down from now on.
    pub(super) fn is(&mut self, down: bool, now: Timestamp) {
        self.down.is(down, now);
    }

    /// Whether it is down as far as is known here.
    pub(super) fn is_down(&self) -> bool {
        self.down.since.is_some()
    }

    pub(super) fn lately(&self, name: &str, now: Timestamp) -> Lately {
        let (down_ms, downs) = self.down.clone().today(now);
        Lately {
            name: name.to_owned(),
            down_ms,
            downs,
            probes: self.probes.iter().cloned().collect(),
        }
    }
}

/// Takes up what events say, each an object in JSON, the oldest first: what a region was when the last server ended
/// it was to every edge until this one began, as an edge goes by the last table that it got. What a clock that was ahead
/// has dated later than `now` is passed over.
pub(super) fn replay(events: &[String], now: Timestamp, mut is: impl FnMut(&str, bool, Timestamp)) {
    for line in events {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let at = event["timestamp"].as_str();
        let at = at.and_then(|text| Timestamp::parse(text).ok());
        let at = at.filter(|at| *at <= now);
        let (name, to) = (event["region"].as_str(), event["to"].as_str());
        if let (Some(at), Some(name), Some(to)) = (at, name, to) {
            is(name, to == "down", at);
        }
    }
}

/// For how long something has been down since the last midnight in UTC.
#[derive(Debug, Clone, Default)]
struct Downtime {
    /// The midnight that `over` is counted from.
    day: u64,
    over: u64,
    times: u64,
    since: Option<Timestamp>,
}

impl Downtime {
    /// A clock that was put back to the day before counts on, so that no day is counted twice; one that was days ahead
    /// begins anew.
    fn turn(&mut self, now: Timestamp) {
        let day = now.0 - now.0 % DAY;
        if day > self.day || day + DAY < self.day {
            self.day = day;
            self.over = 0;
            self.since = self.since.map(|since| since.max(Timestamp(day)));
            self.times = self.since.is_some().into();
        }
    }

    fn is(&mut self, down: bool, now: Timestamp) {
        self.turn(now);
        match (self.since, down) {
            (None, true) => {
                self.since = Some(now);
                self.times += 1;
            }
            (Some(since), false) => {
                self.over += now.since(since);
                self.since = None;
            }
            _ => {}
        }
    }

    fn today(mut self, now: Timestamp) -> (u64, u64) {
        self.turn(now);
        let still = self.since.map_or(0, |since| now.since(since));
        (self.over + still, self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 20_000 * DAY + DAY / 2;

    fn lately(history: &History, now: u64) -> (u64, u64) {
        let lately = history.lately("us-east", Timestamp(now));
        (lately.down_ms, lately.downs)
    }

    #[test]
    fn what_is_down_is_counted_until_it_is_up_and_while_it_is_not() {
        let mut history = History::default();
        assert_eq!(lately(&history, NOON), (0, 0));
        history.is(false, Timestamp(NOON));
        history.is(true, Timestamp(NOON + 1_000));
        assert_eq!(lately(&history, NOON + 1_500), (500, 1));
        history.is(true, Timestamp(NOON + 2_000));
        history.is(false, Timestamp(NOON + 4_000));
        assert_eq!(lately(&history, NOON + 9_000), (3_000, 1));
        history.is(true, Timestamp(NOON + 10_000));
        assert_eq!(lately(&history, NOON + 10_001), (3_001, 2));
    }

    #[test]
    fn a_day_begins_at_midnight_with_what_is_down_then() {
        let mut history = History::default();
        history.is(true, Timestamp(NOON));
        assert_eq!(lately(&history, NOON + DAY / 2 - 1), (DAY / 2 - 1, 1));
        assert_eq!(lately(&history, NOON + DAY / 2 + 5), (5, 1));
        history.is(false, Timestamp(NOON + DAY / 2 + 7));
        assert_eq!(lately(&history, NOON + DAY), (7, 1));
        assert_eq!(lately(&history, NOON + 2 * DAY), (0, 0));
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_time_and_no_panic() {
        let mut history = History::default();
        history.is(true, Timestamp(NOON));
        history.is(false, Timestamp(NOON - 5_000));
        assert_eq!(lately(&history, NOON - DAY), (0, 1));
        history.is(true, Timestamp(NOON - 3 * DAY));
        assert_eq!(
            lately(&history, NOON - 3 * DAY + 9),
            (9, 1),
            "it was days ahead"
        );
    }

    #[test]
    fn the_last_40_probes_are_kept_the_oldest_first() {
        let mut history = History::default();
        for number in 0..50 {
            let outcome = if number % 2 == 0 {
                Ok(())
            } else {
                Err("HTTP 503".to_owned())
            };
            history.probed(Probe::of(
                &outcome,
                Duration::from_millis(number),
                Timestamp(number),
            ));
        }
        let probes = history.lately("us-east", Timestamp(NOON)).probes;
        assert_eq!((probes.len(), probes[0].ms, probes[39].ms), (40, 10, 49));
        assert_eq!(probes[38].failed, None);
        assert_eq!(probes[39].failed.as_deref(), Some("HTTP 503"));
    }

    #[test]
    fn events_are_replayed_and_what_is_none_is_passed_over() {
        let events = [
            "{\"timestamp\":\"2026-01-01T10:00:00.000Z\",\"event\":\"health\",\"region\":\"a\",\"from\":\"up\",\"to\":\"down\",\"reason\":\"x\"}",
            "{\"timestamp\":\"2026-01-01T10:00:01.000Z\",\"event\":\"freeze\",\"reason\":\"x\"}",
            "torn {",
            "{\"timestamp\":\"2026-01-01T10:00:05.000Z\",\"event\":\"override\",\"region\":\"a\",\"from\":\"down\",\"to\":\"forbidden\",\"reason\":\"x\"}",
        ];
        let mut seen = Vec::new();
        let mut events = events.map(str::to_owned).to_vec();
        // Of a clock that was years ahead.
        events.push(events[0].replace("2026", "2036"));
        let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
        replay(&events, now, |name, down, at| {
            seen.push((name.to_owned(), down, at.to_string()));
        });
        let at = |second| format!("2026-01-01T10:00:0{second}.000Z");
        assert_eq!(
            seen,
            [("a".into(), true, at(0)), ("a".into(), false, at(5))]
        );
    }
}
