//! What edges send is kept for a day, once, and judged by step.

use super::*;
use halcyon_core::release::Weight;
use halcyon_core::telemetry::ReleaseOf;
use halcyon_core::time::Timestamp;

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
        open: 0,
    }
}

/// A release with these limits, and steps of 2, 10 and 50 %.
fn release(id: &str, revision: u64) -> ReleaseIs {
    let weights = [0, 2, 10, 50].map(|percent| Weight::new(percent).unwrap());
    ReleaseIs {
        id: id.into(),
        revision,
        taken_up: TAKEN_UP,
        limits: LIMITS,
        weights: weights.into(),
    }
}

/// Long before anything here was counted.
const TAKEN_UP: Timestamp = Timestamp(1_000);

fn step(release: &str, weight: i64) -> StepOf<'_> {
    StepOf {
        release,
        weight: Weight::new(weight).unwrap(),
        taken_up: TAKEN_UP,
    }
}

const LIMITS: Limits = Limits {
    max_errors_ppm: Some(10_000),
    max_p95_ms: None,
};

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
    let green = |requests, errors| {
        vec![cell(
            "us-west",
            Slot::Green,
            Some(3),
            tally(requests, errors),
        )]
    };
    let judge = |percent| traffic.judge(&step("r1", percent), &LIMITS, None);
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    // Of another release, and of the step before.
    let other = batch(1, 0, Some(("r0", 10)), green(100, 100));
    let before = batch(2, 0, Some(("r1", 2)), green(100, 0));
    traffic.take(
        &report("a", vec![other, before]),
        Some(&release("r1", 1)),
        now,
    );
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    assert!(matches!(judge(2), Judgement::Good(_)));
    traffic.take(
        &report("a", vec![batch(3, 0, Some(("r1", 10)), green(100, 60))]),
        Some(&release("r1", 1)),
        now,
    );
    assert!(matches!(judge(10), Judgement::Bad(found) if found[0].region == "us-west"));
    // The next release begins without any of it.
    traffic.take(&report("a", Vec::new()), Some(&release("r2", 9)), now);
    assert!(matches!(judge(10), Judgement::Inconclusive(_)));
    let shown = serde_json::to_value(traffic.shown(&step("r1", 10), Some(&LIMITS), now)).unwrap();
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
    traffic.take(&report("a", batches), Some(&release("r1", 1)), now);
    let shown = traffic.shown(&step("r1", 10), None, now);
    let shown = serde_json::to_value(shown).unwrap();
    assert_eq!(shown["before"]["requests"], 100);
    assert_eq!(shown["before"]["errors"], 4);
    assert_eq!(shown["green"]["requests"], 30);
    assert_eq!(shown["blue"]["requests"], 9);
    assert_eq!(shown["verdict"], serde_json::Value::Null);
}

fn green(requests: u64, errors: u64) -> Vec<Cell> {
    vec![cell("us-west", Slot::Green, None, tally(requests, errors))]
}

#[test]
fn a_step_is_good_only_when_edges_have_told_of_all_of_its_bake() {
    let (traffic, now) = (traffic(), Instant::now());
    let r1 = release("r1", 1);
    let early = batch(1, 30, Some(("r1", 10)), green(500, 0));
    traffic.take(&report("a", vec![early]), Some(&r1), now);
    assert!(matches!(
        traffic.judge(&step("r1", 10), &LIMITS, None),
        Judgement::Good(_)
    ));
    let end = now.checked_sub(Duration::from_secs(5)).unwrap();
    let judged = traffic.judge(&step("r1", 10), &LIMITS, Some(end));
    assert!(
        matches!(&judged, Judgement::Inconclusive(why) if why.contains("no edge has reported since")),
        "{judged:?}"
    );
    // A report without a request on green says as much: nothing failed.
    let late = batch(2, 0, Some(("r1", 10)), Vec::new());
    traffic.take(&report("a", vec![late]), Some(&r1), now);
    assert!(matches!(
        traffic.judge(&step("r1", 10), &LIMITS, Some(end)),
        Judgement::Good(_)
    ));
}

#[test]
fn a_journal_that_cannot_be_read_and_an_older_release_take_no_evidence_away() {
    let (traffic, now) = (traffic(), Instant::now());
    let one = |seq| report("a", vec![batch(seq, 0, Some(("r2", 10)), green(30, 0))]);
    traffic.take(&one(1), Some(&release("r2", 9)), now);
    traffic.take(&one(2), None, now);
    traffic.take(&one(3), Some(&release("r1", 3)), now);
    match traffic.judge(&step("r2", 10), &LIMITS, None) {
        Judgement::Good(seen) => assert_eq!(seen.requests, 90),
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_wait_are_told_anew_by_each_edge_and_weaken_a_proof() {
    let (traffic, now) = (traffic(), Instant::now());
    let r1 = release("r1", 1);
    let waiting = |edge, seq, open| {
        let mut cells = green(4, 4);
        cells[0].open = open;
        report(edge, vec![batch(seq, 0, Some(("r1", 10)), cells)])
    };
    let bad = |traffic: &Traffic| {
        matches!(
            traffic.judge(&step("r1", 10), &LIMITS, None),
            Judgement::Bad(_)
        )
    };
    traffic.take(&waiting("a", 1, 900), Some(&r1), now);
    traffic.take(&waiting("b", 1, 900), Some(&r1), now);
    assert!(!bad(&traffic));
    traffic.take(&waiting("a", 2, 0), Some(&r1), now);
    assert!(!bad(&traffic), "those of the other one wait still");
    traffic.take(&waiting("b", 2, 0), Some(&r1), now);
    assert!(bad(&traffic));
}

#[test]
fn requests_of_an_edge_that_is_not_heard_of_any_more_weaken_no_proof_for_ever() {
    let (traffic, now) = (traffic(), Instant::now());
    let r1 = release("r1", 1);
    let mut cells = green(0, 0);
    cells[0].open = 20_000;
    let gone = report("gone", vec![batch(1, 0, Some(("r1", 10)), cells)]);
    traffic.take(&gone, Some(&r1), now);
    let bad = |at| {
        let judged = traffic.judge_at(&step("r1", 10), &LIMITS, None, at);
        matches!(judged, Judgement::Bad(_))
    };
    let sick = report("a", vec![batch(1, 0, Some(("r1", 10)), green(240, 120))]);
    traffic.take(&sick, Some(&r1), now);
    assert!(!bad(now), "they may all be answered well");
    assert!(!bad(now + Duration::from_secs(20)), "two intervals");
    assert!(bad(now + Duration::from_secs(36)));
}

#[test]
fn what_was_counted_before_a_release_went_on_is_no_evidence_for_after_it() {
    let (traffic, begin) = (traffic(), Instant::now());
    let at = |second| begin + Duration::from_secs(second);
    let counted = |seq, cells| report("a", vec![batch(seq, 0, Some(("r1", 10)), cells)]);
    let mut r1 = release("r1", 1);
    traffic.take(&counted(1, green(200, 0)), Some(&r1), at(0));
    let judge = |step, second| traffic.judge_at(&step, &LIMITS, None, at(second));
    let before = step("r1", 10);
    assert!(matches!(judge(before, 0), Judgement::Good(_)));
    // Somebody lets it go on now: nothing is known of it yet, before any report and with one from before.
    r1.revision = 3;
    r1.taken_up = crate::clock::now();
    let after = StepOf {
        taken_up: r1.taken_up,
        ..before
    };
    let nothing = |judged: Judgement| matches!(judged, Judgement::Inconclusive(_));
    assert!(nothing(judge(after, 0)));
    traffic.take(&counted(2, green(50, 50)), Some(&r1), at(5));
    assert!(nothing(judge(after, 5)), "half of it is of the pause");
    let shown = traffic.shown(&after, Some(&LIMITS), at(5));
    assert_eq!(serde_json::to_value(shown).unwrap()["green"]["requests"], 0);
    // An older reader of the journal takes nothing back.
    traffic.take(&report("b", Vec::new()), Some(&release("r1", 2)), at(6));
    traffic.take(&counted(3, green(30, 0)), Some(&r1), at(15));
    match judge(after, 15) {
        Judgement::Good(seen) => assert_eq!(seen.requests, 30),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_requests_that_wait_no_more_than_so_many_counts_are_kept() {
    let now = Duration::from_secs(1_000);
    let mut waiting = waiting::Waiting::default();
    let sent = batch(1, 0, Some(("r1", 10)), Vec::new());
    let weight = Weight::new(10).unwrap();
    for edge in 0..1_000_u64 {
        let open = (0..1_024).map(|place| (place, 1));
        let at = now + Duration::from_millis(edge);
        waiting.told(&format!("e{edge}"), weight, open, &sent, at);
    }
    assert_eq!(waiting.counts(), 65_536);
    assert_eq!(waiting.open(weight, 7, now), 64, "the newest stay");
    for edge in 0..1_000 {
        let none = std::iter::once((7, 0));
        waiting.told(&format!("e{edge}"), weight, none, &sent, now);
    }
    assert_eq!(waiting.counts(), 0, "of whom nothing waits there is none");
}

#[test]
fn a_share_that_no_step_has_is_no_evidence() {
    let (traffic, now) = (traffic(), Instant::now());
    let odd = batch(1, 0, Some(("r1", 11)), green(500, 500));
    traffic.take(&report("a", vec![odd]), Some(&release("r1", 1)), now);
    let judged = traffic.judge(&step("r1", 11), &LIMITS, None);
    assert!(matches!(judged, Judgement::Inconclusive(_)), "{judged:?}");
}

#[test]
fn whatever_edges_send_no_more_than_so_many_counts_are_kept() {
    let mut ring = Ring::new(Duration::from_secs(60), 1_440);
    let mut all = Tally::default();
    for bucket in 0..halcyon_core::telemetry::BUCKETS {
        all.latency.add_to(bucket, 1);
    }
    for minute in 0..1_440_u64 {
        for place in 0..8 {
            let pool = Pool { place, green: true };
            ring.add(Duration::from_secs(minute * 60), pool, &all);
        }
    }
    let end = Duration::from_secs(1_440 * 60);
    let spans = ring.spans(end, end);
    let tallies = spans.iter().flat_map(|span| span.pools.values());
    let kept: usize = tallies.map(|tally| tally.latency.counts().len()).sum();
    assert!((1_400_000..=1_500_000).contains(&kept), "{kept}");
    assert!(!spans[spans.len() - 2].pools.is_empty(), "the newest stay");
}
