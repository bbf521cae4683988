//! What edges send is kept for a day, once, and judged by step.

use super::*;
use halcyon_core::telemetry::{Cell, ReleaseOf};

fn tally(requests: u64, errors: u64) -> Tally {
    let mut tally = Tally::default();
    (0..requests).for_each(|turn| tally.count(turn < errors, 20_000));
    tally
}

fn cell(region: &str, slot: Slot, cohort: Option<u8>, tally: Tally) -> Cell {
    Cell {
        region: region.into(),
        slot,
        cohort,
        tally,
    }
}

fn batch(seq: u64, age_s: u64, release: Option<(&str, i64)>, cells: Vec<Cell>) -> Batch {
    Batch {
        seq,
        age_ms: age_s * 1_000,
        lasted_ms: 10_000,
        release: release.map(|(id, weight)| ReleaseOf {
            id: id.into(),
            weight: Weight::new(weight).unwrap(),
        }),
        cells,
    }
}

fn report(edge: &str, batches: Vec<Batch>) -> Report {
    Report {
        edge: edge.into(),
        batches,
    }
}

fn traffic() -> Traffic {
    Traffic::of(vec!["us-east".into(), "us-west".into()])
}

#[test]
fn a_batch_that_comes_twice_counts_once_and_each_edge_has_its_own_numbers() {
    let (traffic, now) = (traffic(), Instant::now());
    let one = |seq| {
        batch(
            seq,
            0,
            None,
            vec![cell("us-east", Slot::Blue, None, tally(10, 1))],
        )
    };
    let sent = report("a", vec![one(1), one(2)]);
    assert_eq!(traffic.take(&sent, None, now).batches, 2);
    let again = traffic.take(&sent, None, now);
    assert_eq!((again.batches, again.again), (0, 2));
    assert_eq!(
        traffic.take(&report("b", vec![one(1)]), None, now).batches,
        1
    );
    let seen = traffic.now(now);
    assert_eq!(
        seen[0].as_ref().map(|seen| (seen.requests, seen.errors)),
        Some((30, 3))
    );
    assert_eq!(seen[1], None, "no traffic is no figure");
    assert_eq!(traffic.sizes(now).edges, 2);
}

#[test]
fn the_past_has_gaps_where_nothing_was_counted_and_late_batches_fall_into_their_place() {
    let traffic = traffic();
    let now = Instant::now() + Duration::from_secs(100);
    let at = |seq, age| {
        batch(
            seq,
            age,
            None,
            vec![cell("us-west", Slot::Green, None, tally(age + 1, 0))],
        )
    };
    // The newest first, as after an absence.
    traffic.take(&report("a", vec![at(1, 0)]), None, now);
    traffic.take(&report("b", vec![at(1, 600), at(2, 300)]), None, now);
    let (width, spans) = traffic.past(Duration::from_secs(900), now);
    assert_eq!((width, spans.len()), (Duration::from_secs(15), 60));
    let filled: Vec<(u64, u64)> = spans
        .iter()
        .filter_map(|span| Some((span.ago.as_secs(), span.pools.values().next()?.requests)))
        .collect();
    assert_eq!(filled.len(), 3, "{filled:?}");
    for ((ago, requests), age) in filled.iter().zip([600, 300, 0]) {
        assert!(
            ago.abs_diff(age + 5) <= 15 && *requests == age + 1,
            "{filled:?}"
        );
    }
    let (width, spans) = traffic.past(Duration::from_secs(86_400), now);
    assert_eq!((width, spans.len()), (Duration::from_secs(60), 1_440));
    assert_eq!(
        spans.iter().filter(|span| !span.pools.is_empty()).count(),
        3
    );
}

#[test]
fn a_day_is_kept_and_no_more() {
    let traffic = traffic();
    let begin = Instant::now();
    let cells = || vec![cell("us-east", Slot::Blue, None, tally(1, 0))];
    for minute in 0..3_000_u64 {
        let now = begin + Duration::from_secs(minute * 60);
        traffic.take(
            &report("a", vec![batch(minute + 1, 0, None, cells())]),
            None,
            now,
        );
    }
    let now = begin + Duration::from_secs(3_000 * 60);
    let (_, spans) = traffic.past(Duration::from_secs(86_400), now);
    let kept: u64 = spans
        .iter()
        .flat_map(|span| span.pools.values())
        .map(|tally| tally.requests)
        .sum();
    assert!((1_438..=1_440).contains(&kept), "{kept}");
    // Older than everything, and a region that nobody knows.
    let old = batch(3_001, 2 * 86_400, None, cells());
    let other = batch(
        3_002,
        0,
        None,
        vec![cell("mars", Slot::Blue, None, tally(5, 0))],
    );
    traffic.take(&report("a", vec![old, other]), None, now);
    assert_eq!(traffic.sizes(now).unknown, 1);
}

#[test]
fn with_many_regions_the_same_memory_holds_wider_spans() {
    let traffic = Traffic::of((0..1_024).map(|place| format!("r{place}")).collect());
    let (width, spans) = traffic.past(Duration::from_secs(86_400), Instant::now());
    assert_eq!((width, spans.len()), (Duration::from_secs(60 * 32), 45));
}

#[test]
fn a_step_is_judged_by_what_green_got_under_its_own_weight() {
    let (traffic, now) = (traffic(), Instant::now());
    let limits = Limits {
        max_errors_ppm: Some(10_000),
        max_p95_ms: None,
    };
    let green = |requests, errors| {
        vec![cell(
            "us-west",
            Slot::Green,
            Some(3),
            tally(requests, errors),
        )]
    };
    let weight = |percent| Weight::new(percent).unwrap();
    let judge = |percent| traffic.judge("r1", weight(percent), &limits);
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    // Of another release, and of the step before.
    let other = batch(1, 0, Some(("r0", 10)), green(100, 100));
    let before = batch(2, 0, Some(("r1", 2)), green(100, 0));
    traffic.take(&report("a", vec![other, before]), Some("r1"), now);
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    assert!(matches!(judge(2), Judgement::Good(_)));
    traffic.take(
        &report("a", vec![batch(3, 0, Some(("r1", 10)), green(100, 60))]),
        Some("r1"),
        now,
    );
    assert!(matches!(judge(10), Judgement::Bad(found) if found[0].region == "us-west"));
    // The next release begins without any of it.
    traffic.take(&report("a", Vec::new()), Some("r2"), now);
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    let shown = serde_json::to_value(traffic.shown("r1", weight(10), Some(&limits))).unwrap();
    assert_eq!(
        (&shown["green"]["requests"], &shown["verdict"]),
        (&0.into(), &"inconclusive".into())
    );
}

#[test]
fn the_control_of_a_canary_is_the_same_tenants_before() {
    let (traffic, now) = (traffic(), Instant::now());
    let cells = vec![
        cell("us-east", Slot::Blue, Some(3), tally(40, 4)),
        cell("us-west", Slot::Blue, Some(10), tally(60, 0)),
        cell("us-west", Slot::Blue, Some(11), tally(500, 100)),
        cell("us-west", Slot::Blue, None, tally(70, 70)),
    ];
    let canary = vec![
        cell("us-east", Slot::Green, Some(3), tally(30, 3)),
        cell("us-east", Slot::Blue, Some(50), tally(9, 0)),
    ];
    let batches = vec![
        batch(1, 5, Some(("r1", 0)), cells),
        batch(2, 0, Some(("r1", 10)), canary),
    ];
    traffic.take(&report("a", batches), Some("r1"), now);
    let shown = traffic.shown("r1", Weight::new(10).unwrap(), None);
    let shown = serde_json::to_value(shown).unwrap();
    assert_eq!(shown["before"]["requests"], 100);
    assert_eq!(shown["before"]["errors"], 4);
    assert_eq!(shown["green"]["requests"], 30);
    assert_eq!(shown["blue"]["requests"], 9);
    assert_eq!(shown["verdict"], serde_json::Value::Null);
}
