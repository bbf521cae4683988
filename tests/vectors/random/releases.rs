//! Random releases, decided command by command by the core's machine and by the second implementation.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::Value;

use super::new_seed;
use crate::dice::Dice;
use crate::json;
use crate::python::peer;
use crate::script::Machine;

const RELEASES: usize = 500;
/// Commands in a row, from an empty journal.
const COMMANDS: usize = 40;

/// What only answers have, and every run has to meet: events, kinds of refusals, and the texts of kinds that
/// have several.
const ANSWERS: [&str; 40] = [
    r#"{"action":"provision_green""#,
    r#"{"action":"start_canary""#,
    r#"{"action":"increase_weight""#,
    r#"{"action":"promote_green""#,
    r#""skipped":["#,
    r#"{"action":"rollback_to_blue""#,
    r#"{"action":"rollback_complete""#,
    r#"{"action":"region_confirmed""#,
    r#"{"action":"step_passed""#,
    r#"{"action":"step_failed""#,
    r#"{"action":"pause""#,
    r#"{"action":"resume""#,
    r#"{"action":"attach_driver""#,
    r#"{"action":"detach_driver""#,
    r#"{"action":"permission_denied""#,
    r#"{"events":[],"#,
    r#""recorded":[],"#,
    r#"{"kind":"role""#,
    r#"{"kind":"kill_switch""#,
    r#"{"kind":"state""#,
    r#"{"kind":"invalid_weight""#,
    r#"{"kind":"not_rising""#,
    "next step is promotion",
    "is no image reference",
    "must be strictly rising",
    "must be at least one, each once",
    "is not in the plan",
    "is not the change in force",
    "the release is paused",
    "the release is not paused",
    "has not confirmed",
    "has not passed",
    "has no plan to finish",
    "is still to come",
    "is not in force; that is",
    "has its verdict",
    "have baked",
    "no region was probed",
    "no region has a change to make",
    "only a plan that tolerates failures",
];

#[test]
fn both_machines_agree_on_20_000_random_commands() {
    let given = std::env::var("HALCYON_RANDOM_SEED").ok();
    let seed = given.map_or_else(new_seed, |seed| seed.parse().expect("a number"));
    let say = format!("random releases: {RELEASES}, HALCYON_RANDOM_SEED={seed}");
    writeln!(std::io::stderr(), "{say}").unwrap();
    let mut dice = Dice(seed);
    let releases: Vec<Vec<(String, String)>> = (0..RELEASES).map(|_| release(&mut dice)).collect();
    let lines = releases.iter().map(|release| {
        let steps = release.iter().map(|(step, _)| step.clone());
        json::list(steps) + "\n"
    });
    let Some(theirs) = peer(&["release"], lines.collect()) else {
        return;
    };
    assert_eq!(theirs.lines().count(), RELEASES * COMMANDS);
    let mut theirs = theirs.lines();
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for release in &releases {
        for (place, ((_, ours), theirs)) in release.iter().zip(&mut theirs).enumerate() {
            met.extend(ANSWERS.into_iter().filter(|text| ours.contains(text)));
            assert!(
                ours == theirs,
                "HALCYON_RANDOM_SEED={seed}: the core answers\n  {ours}\nthe second implementation\n  {theirs}\nto the last of\n{:#?}",
                release[..=place]
                    .iter()
                    .map(|(step, _)| step)
                    .collect::<Vec<&String>>()
            );
        }
    }
    // Scripts that meet the same few refusals again and again would compare little.
    let unmet: Vec<&&str> = ANSWERS.iter().filter(|text| !met.contains(*text)).collect();
    assert!(unmet.is_empty(), "no answer has {unmet:?}");
}

/// Commands, each in most cases one that the state before it allows, and the core's answers.
fn release(dice: &mut Dice) -> Vec<(String, String)> {
    let mut machine = Machine::new();
    let mut state = Value::from("idle");
    let mut weight = 0;
    let mut give = |dice: &mut Dice| {
        let step = step(dice, state.as_str().unwrap(), weight);
        let members = machine.give(&serde_json::from_str(&step).unwrap());
        let (_, after) = members.last().unwrap();
        let after: Value = serde_json::from_str(after).unwrap();
        state = after["state"].clone();
        weight = after["canary_weight"].as_i64().unwrap();
        (step, json::object(&members))
    };
    (0..COMMANDS).map(|_| give(dice)).collect()
}

fn step(dice: &mut Dice, state: &str, weight: i64) -> String {
    const ANY: [&str; 14] = [
        "provision_green",
        "start_canary",
        "increase_weight",
        "promote_green",
        "rollback_to_blue",
        "pause",
        "resume",
        "finish_plan",
        "confirm_region",
        "pass_step",
        "fail_step",
        "complete_rollback",
        "attach_driver",
        "detach_driver",
    ];
    let fitting: &[&str] = match state {
        "idle" => &["provision_green"],
        "green_provisioned" => &["start_canary", "confirm_region", "resume", "fail_step"],
        "canary" => &[
            "increase_weight",
            "confirm_region",
            "confirm_region",
            "pass_step",
            "fail_step",
            "finish_plan",
            "resume",
        ],
        "green_live" => &["provision_green", "confirm_region", "rollback_to_blue"],
        _ => &["confirm_region", "complete_rollback"],
    };
    let from = if dice.often(75) { fitting } else { &ANY };
    let command = *dice.pick(from);
    let mut members = vec![("command", json::text(command))];
    members.extend(fields(dice, command, state, weight));
    if dice.often(10) {
        let role = *dice.pick(&["", "Viewer", "Admin", "deployer", "a\u{e9}://b@c"]);
        members.push(("role", json::text(role)));
        members.push(("user", word(dice, &["ann", "bob"])));
    }
    if dice.often(4) {
        members.push(("kill_switch", "true".into()));
    }
    if dice.often(50) {
        let wait = *dice.pick(&["0", "1", "400", "999", "1000"]);
        members.push(("wait_ms", wait.into()));
    }
    json::object(&members)
}

/// One of these, as JSON.
fn word(dice: &mut Dice, from: &[&str]) -> String {
    let picked = *dice.pick(from);
    json::text(picked)
}

fn fields(dice: &mut Dice, command: &str, state: &str, weight: i64) -> Vec<(&'static str, String)> {
    const IMAGES: [&str; 4] = ["app:v1", "app:v2", "app:v3", "gr\u{f6}\u{df}e"];
    const REGIONS: [&str; 4] = ["us-east", "us-west", "eu-west", "m\u{f6}\u{f6}n"];
    let step = match dice.often(60) {
        true => weight,
        false => *dice.pick(&[0, 10, 50, 100]),
    };
    let reason = ("reason", word(dice, &["", "slow", "5xx \u{2028}"]));
    match command {
        "provision_green" => {
            let image = if dice.often(3) {
                *dice.pick(&["", "a\0b"])
            } else {
                *dice.pick(&IMAGES)
            };
            let mut members = vec![("image", json::text(image))];
            if dice.often(40) {
                members.push(("blue_image", word(dice, &IMAGES)));
            }
            if dice.often(75) {
                members.push(("plan", plan(dice, &REGIONS)));
            }
            members
        }
        "start_canary" | "increase_weight" => {
            let likely = if command == "start_canary" { 10 } else { 50 };
            let asked = match dice.often(60) {
                true => likely,
                false => *dice.pick(&[-1, 0, 10, 50, 100, 101, i64::MAX]),
            };
            vec![("weight", asked.to_string())]
        }
        "rollback_to_blue" | "pause" | "detach_driver" => vec![reason],
        "confirm_region" => {
            let in_force = match state {
                "green_provisioned" => "provision_green",
                "canary" if weight == 10 => "start_canary",
                "canary" => "increase_weight",
                "green_live" => "promote_green",
                _ => "rollback_to_blue",
            };
            let change = if dice.often(80) {
                in_force
            } else {
                *dice.pick(&["start_canary", "increase_weight"])
            };
            let region = word(dice, &REGIONS);
            vec![("region", region), ("change", json::text(change))]
        }
        "pass_step" => {
            let mut members = vec![
                ("weight", step.to_string()),
                (
                    "baked_ms",
                    dice.pick(&["0", "999", "1000", "5000"]).to_string(),
                ),
                ("rounds", dice.below(5).to_string()),
            ];
            if dice.often(60) {
                let requests = *dice.pick(&["0", "19", "20", "100", "101"]);
                let traffic = [
                    ("requests", requests.to_owned()),
                    ("errors", dice.pick(&["0", "0", "1", "2"]).to_string()),
                    ("slow", dice.pick(&["0", "0", "1", "5", "6"]).to_string()),
                ];
                members.push(("traffic", json::object(&traffic)));
            }
            members
        }
        "fail_step" => {
            let failure = |dice: &mut Dice| {
                let region = word(dice, &REGIONS);
                json::object(&[("region", region), ("why", json::text("503"))])
            };
            let failures: Vec<String> = (0..dice.below(3)).map(|_| failure(dice)).collect();
            vec![
                ("weight", step.to_string()),
                ("check", word(dice, &["smoke", "hook", "bake"])),
                ("failures", json::list(failures)),
            ]
        }
        _ => vec![],
    }
}

fn plan(dice: &mut Dice, names: &[&str]) -> String {
    const WEIGHTS: [&str; 5] = ["[10]", "[10,50]", "[10,50]", "[0,10,50,100]", "[10,10]"];
    let region = |name: &&str| {
        let url = json::text("http://10.0.0.1:8086");
        json::object(&[("name", json::text(name)), ("url", url)])
    };
    let mut regions: Vec<String> = names[..dice.below(3)].iter().map(region).collect();
    if regions.is_empty() && dice.often(90) {
        regions.push(region(&names[0]));
    }
    let limits = dice.often(30);
    let abort = dice.often(40) || (limits && dice.often(90));
    let mut members = vec![
        ("weights", dice.pick(&WEIGHTS).to_string()),
        ("regions", json::list(regions)),
        ("bake_ms", dice.pick(&["0", "1000"]).to_string()),
        ("abort_on_err", abort.to_string()),
    ];
    if limits {
        let all = [
            r#"{"max_errors_ppm":10000}"#,
            r#"{"max_p95_ms":250}"#,
            r#"{"max_errors_ppm":10000,"max_p95_ms":250}"#,
        ];
        members.push(("limits", dice.pick(&all).to_string()));
    }
    if dice.often(50) {
        members.push(("on_step", json::text("./shift-traffic")));
    }
    json::object(&members)
}
