//! Releases, command by command, refusals included.

use halcyon_core::release::Phase;
use serde_json::Value;

use super::plans;
use crate::json::{self, File};
use crate::script::Machine;

const PROVISION: &str = r#"{"command":"provision_green","image":"app:v2","blue_image":"app:v1"}"#;
const START: &str = r#"{"command":"start_canary","weight":10}"#;
const PROMOTE: &str = r#"{"command":"promote_green"}"#;
const RESUME: &str = r#"{"command":"resume"}"#;
/// With a plan whose changes every region has to confirm.
const PLANNED: &str = r#"{"command":"provision_green","image":"app:v2","blue_image":"app:v1","plan":{"weights":[10,50],"regions":[{"name":"us-east","url":"http://10.0.0.1:8086"},{"name":"us-west","url":"http://10.0.0.2:8086"}],"bake_ms":60000,"abort_on_err":true,"on_step":"./shift-traffic"}}"#;
/// With a plan that no command is called for, and that goes on after a failure.
const TOLERANT: &str = r#"{"command":"provision_green","image":"app:v2","blue_image":"app:v1","plan":{"weights":[10,50],"regions":[{"name":"us-east","url":"http://10.0.0.1:8086"}],"bake_ms":0,"abort_on_err":false}}"#;

pub(crate) fn file() -> String {
    let mut file = File::new(
        "releases from an empty journal, command by command; each answers with the events it records or with its refusal, and the state after it",
    );
    for (name, steps) in stories().into_iter().chain(plans::stories()) {
        add(&mut file, name, &steps);
    }
    for phase in Phase::ALL {
        for step in COMMANDS {
            let steps = way_to(phase).into_iter().chain([step]).map(String::from);
            add(
                &mut file,
                &format!("from {phase}"),
                &steps.collect::<Vec<String>>(),
            );
        }
    }
    file.finish()
}

fn add(file: &mut File, name: &str, steps: &[String]) {
    let mut machine = Machine::new();
    let case = |step: &String| {
        let mut members = vec![("do", step.clone())];
        let step: Value = serde_json::from_str(step).unwrap();
        members.extend(machine.give(&step));
        json::object(&members)
    };
    let cases: Vec<String> = steps.iter().map(case).collect();
    file.group(&[("name", json::text(name))], &cases);
}

/// Every command from every state, once more under each thing that forbids it.
const COMMANDS: [&str; 22] = [
    r#"{"command":"provision_green","image":"app:v3"}"#,
    r#"{"command":"provision_green","image":""}"#,
    r#"{"command":"start_canary","weight":25}"#,
    r#"{"command":"start_canary","weight":150}"#,
    r#"{"command":"increase_weight","weight":25}"#,
    r#"{"command":"increase_weight","weight":10}"#,
    r#"{"command":"increase_weight","weight":-1}"#,
    PROMOTE,
    r#"{"command":"rollback_to_blue","reason":"error rate"}"#,
    r#"{"command":"pause","reason":"lunch"}"#,
    RESUME,
    r#"{"command":"start_canary","weight":150,"role":"Viewer","kill_switch":true}"#,
    r#"{"command":"promote_green","kill_switch":true}"#,
    r#"{"command":"rollback_to_blue","reason":"error rate","kill_switch":true}"#,
    r#"{"command":"complete_rollback"}"#,
    r#"{"command":"finish_plan"}"#,
    r#"{"command":"finish_plan","kill_switch":true}"#,
    r#"{"command":"confirm_region","region":"us-east","change":"start_canary"}"#,
    r#"{"command":"pass_step","weight":10,"baked_ms":0,"rounds":1}"#,
    r#"{"command":"fail_step","weight":10,"check":"smoke","failures":[]}"#,
    r#"{"command":"attach_driver"}"#,
    r#"{"command":"detach_driver","reason":"interrupted"}"#,
];

fn way_to(phase: Phase) -> Vec<&'static str> {
    match phase {
        Phase::Idle => vec![],
        Phase::GreenProvisioned => vec![PROVISION],
        Phase::Canary => vec![PROVISION, START],
        Phase::GreenLive => vec![PROVISION, START, PROMOTE],
        Phase::RollbackInProgress => vec![
            PLANNED,
            r#"{"command":"rollback_to_blue","reason":"first"}"#,
        ],
    }
}

pub(super) fn weight(command: &str, weight: i64) -> String {
    format!(r#"{{"command":"{command}","weight":{weight}}}"#)
}

fn by(role: &str, command: &str) -> String {
    command.replacen('{', &format!(r#"{{"role":{},"#, json::text(role)), 1)
}

fn back(reason: &str) -> String {
    format!(
        r#"{{"command":"rollback_to_blue","reason":{}}}"#,
        json::text(reason)
    )
}

pub(super) fn confirm(region: &str, change: &str) -> String {
    format!(r#"{{"command":"confirm_region","region":"{region}","change":"{change}"}}"#)
}

pub(super) fn pass(weight: i64, baked_ms: u64) -> String {
    format!(r#"{{"command":"pass_step","weight":{weight},"baked_ms":{baked_ms},"rounds":5}}"#)
}

fn stories() -> Vec<(&'static str, Vec<String>)> {
    let is = String::from;
    let raise = |percent| weight("increase_weight", percent);
    let start = |percent| weight("start_canary", percent);
    let next = |image: &str| {
        format!(
            r#"{{"command":"provision_green","image":{}}}"#,
            json::text(image)
        )
    };
    vec![
        (
            "a whole life, and the next release rolled back",
            vec![
                next("app:v1"),
                start(2),
                raise(10),
                raise(25),
                raise(50),
                raise(100),
                is(PROMOTE),
                next("app:v2"),
                start(5),
                back("error rate"),
            ],
        ),
        (
            "the canary that cannot start from idle",
            vec![
                start(10),
                is(PROVISION),
                start(150),
                start(-1),
                start(101),
                start(100),
            ],
        ),
        (
            "a weight that does not rise",
            vec![
                is(PROVISION),
                start(10),
                raise(25),
                raise(20),
                raise(25),
                raise(0),
                raise(101),
                raise(26),
                raise(100),
                raise(100),
            ],
        ),
        (
            "a weight of nothing",
            vec![is(PROVISION), start(0), raise(0), raise(1), back("enough")],
        ),
        (
            "rollback from live brings back image and pool",
            vec![
                is(PROVISION),
                start(10),
                is(PROMOTE),
                next("app:v3"),
                start(1),
                is(PROMOTE),
                back("slow leak"),
                back("again"),
                next("app:v4"),
                back(""),
            ],
        ),
        (
            "rollback from live where no blue was ever known",
            vec![next("app:v1"), start(1), is(PROMOTE), back("x")],
        ),
        (
            "equal images",
            vec![
                is(r#"{"command":"provision_green","image":"app:v1","blue_image":"app:v1"}"#),
                start(100),
                is(PROMOTE),
                back("seed"),
            ],
        ),
        (
            "a blue image counts only while none is known",
            vec![
                is(PROVISION),
                back("x"),
                is(r#"{"command":"provision_green","image":"app:v3","blue_image":"app:v9"}"#),
            ],
        ),
        (
            "images that are none",
            vec![
                next(""),
                next("a\u{0}b"),
                is(r#"{"command":"provision_green","image":"app:v2","blue_image":""}"#),
                next("registry:5000/gr\u{f6}\u{df}e@sha256:00"),
            ],
        ),
        (
            "roles are exact and come first",
            vec![
                by("", PROVISION),
                by("deployer", PROVISION),
                by(
                    "Viewer",
                    r#"{"command":"start_canary","weight":150,"kill_switch":true}"#,
                ),
                by(" Admin", PROVISION),
                by("Admin", PROVISION),
                by("Viewer", START),
                by("Deployer", START),
                by("Edge", &back("x")),
                by("Viewer", &is(PROMOTE)),
                by("Admin", PROMOTE),
            ],
        ),
        (
            "one refusal a second is put on record for each user",
            vec![
                by("Viewer", PROMOTE),
                by("Viewer", r#"{"command":"promote_green","wait_ms":999}"#),
                by(
                    "Viewer",
                    r#"{"command":"promote_green","wait_ms":0,"user":"bob"}"#,
                ),
                by("Viewer", r#"{"command":"promote_green","wait_ms":1}"#),
            ],
        ),
        (
            "the kill switch refuses what gives green more, and nothing else",
            vec![
                is(r#"{"command":"provision_green","image":"app:v2","kill_switch":true}"#),
                is(PROVISION),
                is(r#"{"command":"start_canary","weight":150,"kill_switch":true}"#),
                is(START),
                is(r#"{"command":"increase_weight","weight":50,"kill_switch":true}"#),
                is(r#"{"command":"pause","reason":"x","kill_switch":true}"#),
                is(r#"{"command":"resume","kill_switch":true}"#),
                is(r#"{"command":"promote_green","kill_switch":true}"#),
                is(r#"{"command":"rollback_to_blue","reason":"x","kill_switch":true}"#),
            ],
        ),
        (
            "a pause leaves a release without a plan to the person who drives it",
            vec![
                is(RESUME),
                is(PROVISION),
                is(RESUME),
                is(r#"{"command":"pause","reason":"lunch"}"#),
                is(r#"{"command":"pause","reason":"again"}"#),
                start(10),
                is(RESUME),
                is(r#"{"command":"pause","reason":"x"}"#),
                is(PROMOTE),
                is(RESUME),
            ],
        ),
        (
            "a plan with a hook goes on only when every region has confirmed and the step has passed",
            vec![
                is(PLANNED),
                start(10),
                confirm("us-east", "provision_green"),
                confirm("us-east", "provision_green"),
                confirm("moon", "provision_green"),
                confirm("us-west", "start_canary"),
                confirm("us-west", "provision_green"),
                start(50),
                start(10),
                raise(50),
                confirm("us-east", "start_canary"),
                confirm("us-west", "start_canary"),
                pass(10, 59_999),
                is(r#"{"command":"pass_step","weight":10,"baked_ms":60000,"rounds":0}"#),
                pass(50, 60_000),
                pass(10, 60_000),
                pass(10, 60_000),
                raise(100),
                is(r#"{"command":"finish_plan"}"#),
                raise(50),
                confirm("us-east", "increase_weight"),
                confirm("us-west", "increase_weight"),
                is(r#"{"command":"pause","reason":"x"}"#),
                pass(50, 60_000),
                is(RESUME),
                pass(50, 60_000),
                is(r#"{"command":"finish_plan"}"#),
                next("app:v3"),
            ],
        ),
        (
            "a rollback is over when every region has confirmed it",
            vec![
                is(PLANNED),
                back("sick"),
                start(10),
                next("app:v3"),
                back("again"),
                is(r#"{"command":"complete_rollback"}"#),
                confirm("us-west", "rollback_to_blue"),
                confirm("us-east", "provision_green"),
                is(r#"{"command":"complete_rollback"}"#),
                confirm("us-east", "rollback_to_blue"),
                is(r#"{"command":"complete_rollback"}"#),
                next("app:v3"),
            ],
        ),
        (
            "a person who promotes early skips what had no verdict",
            vec![is(TOLERANT), start(10), is(PROMOTE), back("no")],
        ),
        (
            "a plan that tolerates failures goes on after one",
            vec![
                is(TOLERANT),
                is(r#"{"command":"attach_driver"}"#),
                start(10),
                is(
                    r#"{"command":"fail_step","weight":10,"check":"bake","failures":[{"region":"us-east","why":"503"}]}"#,
                ),
                raise(50),
                pass(50, 0),
                is(r#"{"command":"detach_driver","reason":"interrupted"}"#),
                is(r#"{"command":"finish_plan"}"#),
            ],
        ),
    ]
}
