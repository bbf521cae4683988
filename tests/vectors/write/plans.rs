//! Releases under a plan: what a plan may be, what fails under it, and how its texts show what they were given.

use crate::json;

use super::releases::{confirm, pass, weight};

const EAST: &str = r#"{"name":"us-east","url":"http://10.0.0.1:8086"}"#;
const WEST: &str = r#"{"name":"us-west","url":"http://10.0.0.2:8086"}"#;
const FINISH: &str = r#"{"command":"finish_plan"}"#;
const PROMOTE: &str = r#"{"command":"promote_green"}"#;
const ROLLBACK: &str = r#"{"command":"rollback_to_blue","reason":"slow leak"}"#;
const RESUME: &str = r#"{"command":"resume"}"#;
const PAUSE: &str = r#"{"command":"pause","reason":"x"}"#;

/// Begins a release under a plan of these weights, regions and further members.
fn planned(weights: &str, regions: &[&str], rest: &str) -> String {
    let regions = regions.join(",");
    format!(
        r#"{{"command":"provision_green","image":"app:v2","plan":{{"weights":{weights},"regions":[{regions}],{rest}}}}}"#
    )
}

fn fail(weight: i64, check: &str, regions: &[&str]) -> String {
    let failure = |region: &&str| format!(r#"{{"region":"{region}","why":"503"}}"#);
    let failures: Vec<String> = regions.iter().map(failure).collect();
    format!(
        r#"{{"command":"fail_step","weight":{weight},"check":"{check}","failures":[{}]}}"#,
        failures.join(",")
    )
}

fn unknown(region: &str) -> String {
    let region = json::text(region);
    format!(r#"{{"command":"confirm_region","region":{region},"change":"provision_green"}}"#)
}

pub(super) fn stories() -> Vec<(&'static str, Vec<String>)> {
    const SHORT: &str = r#""bake_ms":0,"abort_on_err":true"#;
    const LIMITED: &str =
        r#""bake_ms":0,"abort_on_err":true,"limits":{"max_errors_ppm":10000,"max_p95_ms":250}"#;
    let with_traffic = |weight: u8, traffic: &str| {
        format!(r#"{{"command":"pass_step","weight":{weight},"baked_ms":0,"rounds":1{traffic}}}"#)
    };
    const TOLERANT: &str = r#""bake_ms":1000,"abort_on_err":false,"on_step":"./shift-traffic""#;
    let is = String::from;
    let start = |percent| weight("start_canary", percent);
    let raise = |percent| weight("increase_weight", percent);
    let region =
        |member: &str| format!(r#"{{"name":"us-east","url":"http://10.0.0.1:8086",{member}}}"#);
    let named = region(r#""named":true,"pools":{"green":"https://g.example:443/base"}"#);
    let unnamed = region(r#""named":false,"pools":{}"#);
    let whole = r#""bake_ms":60000,"abort_on_err":false,"on_step":"./shift","on_step_dir":"/srv/gr\u00f6\u00dfe","by_server":true,"deadline":"2025-10-02T10:30:00.250Z""#;
    vec![
        (
            "plans that are none",
            vec![
                planned("[]", &[EAST], SHORT),
                planned("[10,10]", &[EAST], SHORT),
                planned("[50,10]", &[EAST], SHORT),
                planned("[10]", &[], SHORT),
                planned("[10]", &[EAST, WEST, EAST], SHORT),
                planned("[10,10]", &[], SHORT),
                planned("[0,100]", &[EAST, WEST], SHORT),
            ],
        ),
        (
            "a plan with limits passes no step without traffic that keeps to them",
            vec![
                planned(
                    "[10]",
                    &[EAST],
                    r#""bake_ms":0,"abort_on_err":false,"limits":{"max_p95_ms":250}"#,
                ),
                planned("[0]", &[EAST], LIMITED),
                planned(
                    "[10]",
                    &[EAST],
                    r#""bake_ms":0,"abort_on_err":true,"limits":{}"#,
                ),
                planned("[0,10]", &[EAST], LIMITED),
                start(0),
                with_traffic(0, ""),
                raise(10),
                with_traffic(10, ""),
                with_traffic(10, r#","traffic":{"requests":19,"errors":0,"slow":0}"#),
                with_traffic(10, r#","traffic":{"requests":100,"errors":2,"slow":5}"#),
                with_traffic(10, r#","traffic":{"requests":100,"errors":1,"slow":6}"#),
                with_traffic(10, r#","traffic":{"requests":100,"errors":1,"slow":5}"#),
                is(FINISH),
            ],
        ),
        (
            "a plan with everything it can hold",
            vec![planned("[5]", &[&named, WEST], whole)],
        ),
        (
            "a plan with nothing it can leave out",
            vec![planned("[5]", &[&unnamed], SHORT)],
        ),
        (
            "a plan goes through its steps to promotion",
            vec![
                planned("[0,50]", &[EAST], SHORT),
                is(PAUSE),
                start(0),
                is(RESUME),
                start(0),
                is(PAUSE),
                raise(50),
                is(FINISH),
                is(RESUME),
                raise(50),
                pass(0, 0),
                raise(25),
                raise(50),
                is(FINISH),
                raise(100),
                pass(0, 0),
                pass(50, 0),
                raise(100),
                is(PAUSE),
                is(FINISH),
                is(RESUME),
                is(FINISH),
                confirm("us-east", "promote_green"),
                confirm("us-east", "promote_green"),
            ],
        ),
        (
            "a strict plan tolerates nothing",
            vec![
                planned("[10]", &[EAST], SHORT),
                fail(10, "smoke", &["us-east"]),
                start(10),
                fail(10, "bake", &["us-east"]),
                fail(10, "hook", &["us-east"]),
            ],
        ),
        (
            "a hook that fails is as good as one that succeeded where failures are tolerated",
            vec![
                planned("[10,50]", &[EAST, WEST], TOLERANT),
                fail(0, "bake", &["us-east"]),
                fail(10, "hook", &["us-east"]),
                fail(0, "hook", &["us-east"]),
                start(10),
                fail(0, "hook", &["us-west", "moon"]),
                fail(0, "hook", &["us-west"]),
                fail(10, "smoke", &["us-east", "us-west"]),
                start(10),
                fail(10, "bake", &["us-east"]),
                fail(10, "hook", &["us-east", "us-west"]),
                is(PAUSE),
                fail(10, "bake", &["us-east"]),
                is(RESUME),
                fail(50, "bake", &["us-east"]),
                fail(10, "bake", &["us-east"]),
                fail(10, "bake", &["us-east"]),
                pass(10, 1000),
                fail(50, "smoke", &["us-west"]),
                raise(50),
                is(PROMOTE),
                fail(100, "bake", &["us-west"]),
                fail(50, "hook", &["us-west"]),
                fail(100, "hook", &["us-west", "us-east"]),
                fail(100, "hook", &["us-east"]),
                is(ROLLBACK),
                fail(0, "hook", &["us-east"]),
                confirm("us-east", "rollback_to_blue"),
                confirm("us-east", "rollback_to_blue"),
            ],
        ),
        (
            "a rollback that is asked for again asks no region again",
            vec![
                planned("[10]", &[EAST, WEST], TOLERANT),
                is(ROLLBACK),
                confirm("us-east", "rollback_to_blue"),
                is(ROLLBACK),
                confirm("us-east", "rollback_to_blue"),
                confirm("us-west", "rollback_to_blue"),
                is(r#"{"command":"complete_rollback"}"#),
            ],
        ),
        (
            "verdicts are those of their own release",
            vec![
                planned("[10,50]", &[EAST], SHORT),
                start(10),
                pass(10, 0),
                is(PROMOTE),
                planned("[10,50]", &[EAST], SHORT),
                start(10),
                is(PROMOTE),
            ],
        ),
        (
            "a person's release has no plan to finish and may have verdicts",
            vec![
                is(r#"{"command":"provision_green","image":"app:v2"}"#),
                confirm("us-east", "provision_green"),
                start(10),
                is(FINISH),
                fail(10, "bake", &["us-east"]),
                pass(25, 0),
                pass(10, 0),
                pass(10, 0),
                raise(25),
                pass(25, 0),
                is(PROMOTE),
            ],
        ),
        (
            "values in texts are made safe to show",
            vec![
                planned("[10]", &[EAST], SHORT),
                unknown(""),
                unknown("us\u{202e}east \u{1f426} a\tb\r\nc\u{1b}[2J\u{7f} \"\\'"),
                unknown("http://joe:s3cret@10.0.0.1,db=https://x:y@z@host/@"),
                unknown("a@b://c"),
                unknown(&"x".repeat(64)),
                unknown(&"x".repeat(65)),
                unknown(&"\u{e9}".repeat(11)),
                unknown(&format!("http://joe:{}@host", "s".repeat(260))),
                unknown(&format!("{}http://joe", "x".repeat(246))),
                unknown(&format!("{}http://joe", "x".repeat(247))),
                is(r#"{"command":"pause","reason":"x","role":"http://joe:s3cret@host"}"#),
            ],
        ),
    ]
}
