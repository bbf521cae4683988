//! What edges have seen, held against limits.

use super::*;

fn seen(region: &str, requests: u64, errors: u64, slow: u64) -> RegionTraffic<'_> {
    RegionTraffic {
        region,
        seen: Traffic {
            requests,
            errors,
            slow,
        },
        open: 0,
        left: 0,
    }
}

const BOTH: Limits = Limits {
    max_errors_ppm: Some(10_000),
    max_p95_ms: Some(250),
};

#[test]
fn no_data_and_little_data_prove_nothing() {
    for requests in 0..LEAST_REQUESTS {
        let judged = BOTH.judge(&[seen("a", requests, 0, 0)], 1);
        assert!(
            matches!(&judged, Judgement::Inconclusive(why) if why.contains("at least 20")),
            "{requests}: {judged:?}"
        );
    }
    let enough = BOTH.judge(&[seen("a", 20, 0, 1)], 1);
    assert!(matches!(enough, Judgement::Good(_)));
}

#[test]
fn a_step_is_stopped_by_errors_and_by_slowness() {
    let words = |judged| match judged {
        Judgement::Bad(found) => found[0].why.clone(),
        other => panic!("{other:?}"),
    };
    let why = words(BOTH.judge(&[seen("a", 400, 40, 0)], 1));
    assert!(
        why.starts_with("40 of 400 requests failed, 10 % (allowed: 1 %)"),
        "{why}"
    );
    let why = words(BOTH.judge(&[seen("a", 400, 0, 100)], 1));
    assert!(
        why.ends_with("100 of 400 requests took longer than 250 ms, 25 % (allowed: 5 %)"),
        "{why}"
    );
    // Many small shares prove together what none proves alone.
    let regions: Vec<RegionTraffic<'_>> = (0..20).map(|_| seen("one", 40, 2, 0)).collect();
    let judged = BOTH.judge(&regions, 20);
    assert!(matches!(judged, Judgement::Bad(found) if found[0].region == "all regions"));
}

#[test]
fn one_region_that_is_sick_is_not_hidden_by_those_that_are_well() {
    match BOTH.judge(&[seen("well", 100_000, 100, 0), seen("sick", 60, 30, 0)], 2) {
        Judgement::Bad(found) => {
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].region, "sick");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_still_waits_is_no_proof_and_weakens_one() {
    let early = |open| {
        let green = RegionTraffic {
            open,
            ..seen("a", 8, 4, 0)
        };
        BOTH.judge(&[green], 1)
    };
    assert!(matches!(early(0), Judgement::Bad(_)));
    // Four failed at once, and a thousand wait for answers that take a second.
    assert!(matches!(early(1_000), Judgement::Inconclusive(_)));
}

#[test]
fn traffic_whose_clients_left_more_often_than_not_passes_no_step_and_fails_none() {
    let with = |left, requests| RegionTraffic {
        left,
        ..seen("a", requests, 0, 0)
    };
    let good = seen("b", 500, 0, 0);
    // It hangs, and nobody has the patience to see it: the others do not hide that.
    match BOTH.judge(&[with(300, 0), good], 2) {
        Judgement::Inconclusive(why) => assert!(
            why.contains("to 300 requests on green in a, and waited for that to 0"),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        BOTH.judge(&[with(101, 100), good], 2),
        Judgement::Inconclusive(_)
    ));
    assert!(matches!(
        BOTH.judge(&[with(100, 100), good], 2),
        Judgement::Good(_)
    ));
    // A region that has hardly any is not judged, as without them.
    assert!(matches!(
        BOTH.judge(&[with(20, 0), good], 2),
        Judgement::Good(_)
    ));
    assert!(matches!(
        BOTH.judge(&[with(21, 0), good], 2),
        Judgement::Inconclusive(_)
    ));
    // They take nothing from what is proved.
    let bad = RegionTraffic {
        left: 1_000,
        ..seen("a", 20, 20, 0)
    };
    assert!(matches!(BOTH.judge(&[bad], 1), Judgement::Bad(_)));
}

#[test]
fn the_proof_that_is_asked_for_does_not_fall_with_regions_that_are_yet_to_report() {
    let needed = |all| {
        let bad = |errors: &u64| {
            let judged = BOTH.judge(&[seen("a", 300, *errors, 0)], all);
            matches!(judged, Judgement::Bad(_))
        };
        (1..30).find(bad).unwrap()
    };
    assert!(needed(1_000) > needed(1));
}

#[test]
fn above_the_limit_and_not_for_sure_is_neither_good_nor_bad() {
    let judged = BOTH.judge(&[seen("a", 60, 1, 0)], 1);
    assert!(
        matches!(&judged, Judgement::Inconclusive(why) if why.contains("not yet for sure")),
        "{judged:?}"
    );
    // One region of many is enough.
    let judged = BOTH.judge(&[seen("a", 10_000, 0, 0), seen("b", 10, 1, 0)], 2);
    assert!(matches!(judged, Judgement::Inconclusive(_)), "{judged:?}");
}

#[test]
fn good_is_what_holds_by_the_whole_numbers_that_go_on_record() {
    for requests in [20, 99, 100, 101, 500] {
        for errors in 0..6 {
            for slow in [0, 1, 5, 6, 25] {
                let judged = BOTH.judge(&[seen("a", requests, errors, slow)], 1);
                if let Judgement::Good(traffic) = judged {
                    assert!(BOTH.hold(&traffic));
                    assert!(errors * 100 <= requests && slow * 20 <= requests);
                }
            }
        }
    }
    assert!(!BOTH.hold(&seen("a", 19, 0, 0).seen));
}

#[test]
fn counts_of_any_size_are_held_against_the_limit_exactly() {
    for requests in [20, 99, 12_345_678, 2_000_000_000_000_000, u64::MAX] {
        for ppm in [1, 10_000, 999_999] {
            let limits = Limits {
                max_errors_ppm: Some(ppm),
                max_p95_ms: None,
            };
            let exact = u128::from(requests) * u128::from(ppm) / 1_000_000;
            let most = u64::try_from(exact).unwrap();
            assert!(
                limits.hold(&seen("a", requests, most, 0).seen),
                "{requests} {ppm}"
            );
            let above = seen("a", requests, most + 1, 0).seen;
            assert!(!limits.hold(&above), "{requests} {ppm}");
        }
    }
}

#[test]
fn a_share_is_read_as_a_percentage_or_a_fraction_and_never_as_either() {
    for (text, ppm) in [
        ("1%", 10_000),
        ("1 %", 10_000),
        ("0.0001%", 1),
        ("99.9999%", 999_999),
        ("0.01", 10_000),
        ("0.000001", 1),
        ("0.50", 500_000),
    ] {
        assert_eq!(parse_rate(text), Ok(ppm), "{text}");
    }
    for text in [
        "",
        "1",
        "0",
        "0%",
        "100%",
        "1.0",
        "-1%",
        "+1%",
        "1e-2",
        ".5%",
        "%",
        "0.00001%",
        "0.0000001",
        "nan",
        "5 % ",
        "٥%",
    ] {
        let why = parse_rate(text).unwrap_err();
        assert!(why.contains("allowed: "), "{text}: {why}");
    }
}
