//! What an edge sends: batches of counts, as JSON.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use super::{Histogram, Tally, is_zero};
use crate::document::{Document, Members};
use crate::placement::Slot;
use crate::region::{NAME_RULE, is_name};
use crate::release::Weight;
use crate::text::{count, message, number};

/// The most batches of one report.
pub const BATCHES_MAX: usize = 64;

/// The most cells of one batch: a few regions with all their cohorts.
pub const CELLS_MAX: usize = 1_000;

/// How long what was counted is of use, in milliseconds: a day.
pub const KEPT_MS: u64 = 86_400_000;

/// The longest time that one batch spans, in milliseconds.
pub const LASTED_MAX_MS: u64 = 600_000;

/// The greatest number that JavaScript reads exactly.
const COUNT_MAX: u64 = (1 << 53) - 1;

/// What was counted for one pool, and one cohort where a release draws them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The region's name.
    pub region: String,
    /// Which of its pools.
    pub slot: Slot,
    /// 1 to 100; none where no release draws cohorts, and for tenants whose slot a rule gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cohort: Option<u8>,
    /// The counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// Requests to the pool, of whatever cohort, that still waited when the batch ended; in one cell of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub open: u64,
}

/// The release whose table was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseOf {
    /// Its id.
    pub id: String,
    /// The share of green in that table.
    pub weight: Weight,
}

/// What an edge has counted within some seconds, under one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// From 1, one more for each batch of this edge: a batch that comes twice counts once.
    pub seq: u64,
    /// How long ago it ended, in milliseconds, by the edge's clock that never jumps.
    pub age_ms: u64,
    /// How long it lasted, in milliseconds.
    pub lasted_ms: u64,
    /// The release of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseOf>,
    /// The counts; what is not there is zero.
    pub cells: Vec<Cell>,
}

/// What an edge sends at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Who sends it; another one after each start.
    pub edge: String,
    /// In the order of their numbers.
    pub batches: Vec<Batch>,
}

impl Report {
    /// Reads a report.
    ///
    /// ```
    /// use halcyon_core::document::Document;
    /// use halcyon_core::telemetry::Report;
    ///
    /// let read = |json: &str| Report::from_document(&Document::from_json(json).unwrap());
    /// let report = read(r#"{"edge":"e1","batches":[{"seq":1,"age_ms":0,"lasted_ms":10000,
    ///     "release":{"id":"r1","weight":10},
    ///     "cells":[{"region":"us-east","slot":"green","cohort":3,"requests":2,"errors":1,"latency":[[96,2]]}]}]}"#);
    /// assert_eq!(report.unwrap().batches[0].cells[0].tally.errors, 1);
    /// assert_eq!(read(r#"{"edge":"","batches":7}"#).unwrap_err().len(), 2);
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_document(document: &Document) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let report = report(document, &mut problems);
        match (report, problems.is_empty()) {
            (Some(report), true) => Ok(report),
            _ => Err(problems),
        }
    }
}

fn report(document: &Document, problems: &mut Vec<String>) -> Option<Report> {
    let mut members = Members::of(document, "the body", &["edge", "batches"], problems)?;
    let edge = members.text("edge").unwrap_or("e").to_string();
    if !is_name(&edge) {
        members.problem(message!(
            "has \"edge\" = {?}; allowed: {}",
            &edge,
            NAME_RULE
        ));
    }
    let items = members.list("batches").unwrap_or_default();
    if items.len() > BATCHES_MAX {
        let (seen, most) = (count(items.len()), count(BATCHES_MAX));
        members.problem(message!(
            "has {} \"batches\"; allowed: up to {}",
            &seen,
            &most
        ));
        return None;
    }
    let mut batches: Vec<Batch> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = message!("batch {}", &count(index.saturating_add(1))).text();
        let Some(found) = batch(item, &place, problems) else {
            // What is wrong with one is probably wrong with all of them.
            break;
        };
        if batches.last().is_some_and(|before| before.seq >= found.seq) {
            let seen = number(found.seq);
            message!(
                " has \"seq\" = {}; allowed: more than that of the one before",
                &seen
            )
            .say_behind(&place, problems);
            break;
        }
        batches.push(found);
    }
    Some(Report { edge, batches })
}

/// `None` where something is wrong with it.
fn batch(document: &Document, place: &str, problems: &mut Vec<String>) -> Option<Batch> {
    let known = ["seq", "age_ms", "lasted_ms", "release", "cells"];
    let before = problems.len();
    let mut members = Members::of(document, place, &known, problems)?;
    let seq = members.whole("seq", 1, COUNT_MAX);
    let age_ms = members.whole("age_ms", 0, COUNT_MAX);
    let lasted_ms = members.whole("lasted_ms", 0, LASTED_MAX_MS);
    let cells = members.list("cells").unwrap_or_default();
    if cells.len() > CELLS_MAX {
        let (seen, most) = (count(cells.len()), count(CELLS_MAX));
        members.problem(message!(
            "has {} \"cells\"; allowed: up to {}",
            &seen,
            &most
        ));
        return None;
    }
    let release = members.get("release");
    let release = match release {
        None => None,
        Some(document) => Some(release_of(document, &at(place, "release"), problems)?),
    };
    let mut read = Vec::new();
    for (index, item) in cells.iter().enumerate() {
        let place = at(
            place,
            &message!("cell {}", &count(index.saturating_add(1))).text(),
        );
        read.push(cell(item, &place, problems)?);
    }
    (problems.len() == before).then_some(Batch {
        seq,
        age_ms,
        lasted_ms,
        release,
        cells: read,
    })
}

fn at(place: &str, what: &str) -> String {
    message!("{}, {}", place, what).text()
}

fn release_of(document: &Document, place: &str, problems: &mut Vec<String>) -> Option<ReleaseOf> {
    let mut members = Members::of(document, place, &["id", "weight"], problems)?;
    let id = members.text("id")?.to_string();
    let weight = members.whole("weight", 0, 100);
    Some(ReleaseOf {
        id,
        weight: u8::try_from(weight)
            .ok()
            .and_then(|weight| Weight::new(weight.into()))?,
    })
}

/// `None` where something is wrong with it.
fn cell(document: &Document, place: &str, problems: &mut Vec<String>) -> Option<Cell> {
    let known = [
        "region", "slot", "cohort", "requests", "errors", "latency", "left", "open",
    ];
    let before = problems.len();
    let mut members = Members::of(document, place, &known, problems)?;
    let region = members.text("region").unwrap_or_default().to_string();
    let slot = members.one_of("slot", &Slot::ALL, Slot::name)?;
    let cohort = match members.get("cohort") {
        None => None,
        Some(_) => u8::try_from(members.whole("cohort", 1, 100)).ok(),
    };
    let requests = members.whole("requests", 0, COUNT_MAX);
    let errors = members.whole("errors", 0, requests);
    let mut none_where_missing = |name| match members.get(name) {
        None => 0,
        Some(_) => members.whole(name, 0, COUNT_MAX),
    };
    let (left, open) = (none_where_missing("left"), none_where_missing("open"));
    let latency = latency(&mut members);
    if latency
        .as_ref()
        .is_some_and(|latency| latency.total() != requests)
    {
        members.problem(message!(
            "has another number of \"requests\" than in \"latency\"; allowed: the same"
        ));
    }
    let latency = latency?;
    let tally = Tally {
        requests,
        errors,
        latency,
        left,
    };
    (problems.len() == before).then_some(Cell {
        region,
        slot,
        cohort,
        tally,
        open,
    })
}

/// `None` where something is wrong with it.
fn latency(members: &mut Members<'_, '_>) -> Option<Histogram> {
    let items = members.list("latency")?;
    let mut found = Histogram::default();
    for item in items {
        let pair = match item {
            Document::List(pair) => pair.as_slice(),
            _ => &[],
        };
        let pair = match pair {
            [Document::Integer(bucket), Document::Integer(times)] => {
                let bucket = u16::try_from(*bucket)
                    .ok()
                    .filter(|bucket| *bucket < super::BUCKETS);
                let times = u64::try_from(*times)
                    .ok()
                    .filter(|times| *times <= COUNT_MAX);
                bucket.zip(times)
            }
            _ => None,
        };
        let Some((bucket, times)) = pair else {
            let (seen, most) = (
                item.seen(),
                number(u64::from(super::BUCKETS).saturating_sub(1)),
            );
            members.problem(message!(
                "has {} in \"latency\"; allowed: pairs of a bucket, 0 to {}, and a count",
                &seen,
                &most
            ));
            return None;
        };
        found.add_to(bucket, times);
    }
    Some(found)
}
