//! The status other programs read.

use serde_json::json;

use super::*;

fn status(bench: &Bench) -> serde_json::Value {
    serde_json::to_value(bench.release.status()).unwrap()
}

#[test]
fn before_the_first_release_everything_is_blue() {
    assert_eq!(
        status(&bench()),
        json!({
            "state": "idle", "blue_image": null, "green_image": null, "canary_weight": 0,
            "traffic_split": {"blue": 100, "green": 0},
            "release_id": null, "under_way": false, "paused": null, "step": null, "steps": [], "regions": [],
            "next_deadline": null, "blue_pool": "blue",
        })
    );
}

#[test]
fn a_canary_shows_its_step_and_when_it_has_baked() {
    let bench = bench().all([provision_with(plan(&[10, 50])), start(10)]);
    assert_eq!(
        status(&bench),
        json!({
            "state": "canary", "blue_image": "app:v1", "green_image": "app:v2", "canary_weight": 10,
            "traffic_split": {"blue": 90, "green": 10},
            "release_id": "r1", "under_way": true, "paused": null, "step": 1, "steps": [10, 50],
            "regions": ["us-east", "us-west"],
            "next_deadline": "1970-01-01T00:17:40.000Z", "blue_pool": "blue",
        })
    );
}

#[test]
fn traffic_is_split_by_the_state() {
    let split = |bench: &Bench| bench.release.status().traffic_split;
    let of = |green: u8| TrafficSplit {
        blue: 100 - green,
        green,
    };
    let at = bench().all([provision("app:v2")]);
    assert_eq!(split(&at), of(0));
    let at = at.all([start(30)]);
    assert_eq!(split(&at), of(30));
    let at = at.all([increase(100)]);
    assert_eq!(split(&at), of(100));
    let at = at.all([Command::PromoteGreen]);
    assert_eq!(split(&at), of(100));
    assert_eq!(status(&at)["canary_weight"], 100);
    let at = at.all([rollback("x")]);
    assert_eq!(split(&at), of(0));
}

#[test]
fn a_paused_release_says_why() {
    let at = bench().all([provision("app:v2"), pause("lunch")]);
    assert_eq!(status(&at)["paused"], "lunch");
}

#[test]
fn a_plan_is_shown_only_while_its_release_is_under_way() {
    let at = bench().all([
        provision_with(plan(&[10])),
        start(10),
        Command::PromoteGreen,
    ]);
    let status = status(&at);
    assert_eq!(
        (&status["steps"], &status["regions"], &status["step"]),
        (&json!([]), &json!([]), &json!(null))
    );
    assert_eq!(status["release_id"], "r1");
}
