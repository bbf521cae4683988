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
            "state": "idle", "blue_image": null, "green_image": null, "former_blue": null, "canary_weight": 0,
            "traffic_split": {"blue": 100, "green": 0},
            "release_id": null, "under_way": false, "outcome": "none", "former_green": null, "ended_at": null, "paused": null, "step": null, "steps": [], "regions": [],
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
            "state": "canary", "blue_image": "app:v1", "green_image": "app:v2", "former_blue": null, "canary_weight": 10,
            "traffic_split": {"blue": 90, "green": 10},
            "release_id": "r1", "under_way": true, "outcome": "under_way", "former_green": null, "ended_at": null, "paused": null, "step": 1, "steps": [10, 50],
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
fn what_a_rollback_would_serve_is_known_while_green_is_live() {
    let images = |bench: &Bench| {
        let status = status(bench);
        ["blue_image", "former_blue"].map(|name| status[name].clone())
    };
    let at = bench().all([provision_with(plan(&[10])), start(10)]);
    assert_eq!(images(&at), [json!("app:v1"), json!(null)]);
    let at = at.all([Command::PromoteGreen]);
    assert_eq!(images(&at), [json!("app:v2"), json!("app:v1")]);
    let at = at.all([rollback("x")]);
    assert_eq!(images(&at), [json!("app:v1"), json!(null)]);
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

#[test]
fn a_release_tells_its_plan_its_verdicts_and_what_placement_needs() {
    let view = |bench: &Bench| {
        let view = bench.release.view()?;
        Some((view.id.to_string(), view.phase, view.weight))
    };
    let at = bench();
    assert_eq!((at.release.plan(), view(&at)), (None, None));
    let at = at.all([provision_with(plan(&[10, 50])), start(10)]);
    assert_eq!(at.release.plan(), Some(&plan(&[10, 50])));
    assert_eq!(view(&at), Some(("r1".into(), Phase::Canary, weight(10))));
    assert_eq!(at.release.passed(weight(10)), None);
    let at = at.all([pass(10)]);
    assert_eq!(at.release.passed(weight(10)), Some(true));
    assert_eq!(at.release.passed(weight(50)), None);
    let at = bench().all([
        provision_with(tolerant(plan(&[10, 50]))),
        start(10),
        fail(10, Check::Bake),
    ]);
    assert_eq!(at.release.passed(weight(10)), Some(false));
}

#[test]
fn a_state_is_read_by_the_name_it_is_written_with() {
    for (phase, name) in [
        (Phase::Idle, "idle"),
        (Phase::GreenProvisioned, "green_provisioned"),
        (Phase::Canary, "canary"),
        (Phase::GreenLive, "green_live"),
        (Phase::RollbackInProgress, "rollback_in_progress"),
    ] {
        assert_eq!((phase.name(), Phase::parse(name)), (name, Ok(phase)));
    }
    assert_eq!(
        Phase::parse("live").unwrap_err(),
        "\"live\" is no state; allowed: idle, green_provisioned, canary, green_live, rollback_in_progress"
    );
}

#[test]
fn a_plan_knows_the_places_of_its_steps_and_the_pools_of_its_regions() {
    let steps = plan(&[10, 50, 100]);
    let places = [10, 50, 100, 11].map(|percent| steps.place(weight(percent)));
    assert_eq!(places, [Some(1), Some(2), Some(3), None]);

    let [blue, green] = ["http://b:1", "http://g:1"].map(|url| Endpoint::parse(url).ok());
    let pools = |blue: &Option<Endpoint>, green: &Option<Endpoint>| Pools {
        blue: blue.clone(),
        green: green.clone(),
    };
    let both = pools(&blue, &green);
    assert_eq!(both.of(Pool::Blue), blue.as_ref());
    assert_eq!(both.of(Pool::Green), green.as_ref());
    assert!(pools(&None, &None).is_empty());
    for some in [both, pools(&blue, &None), pools(&None, &green)] {
        assert!(!some.is_empty());
    }
}

#[test]
fn a_regions_failure_is_shown_with_its_name_first() {
    let failure = RegionFailure {
        region: "us-east".into(),
        why: "status 503".into(),
    };
    assert_eq!(failure.to_string(), "us-east: status 503");
}
