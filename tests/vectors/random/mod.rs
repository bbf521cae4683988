//! Random configurations and tenants, answered by the core and by the second implementation.

mod releases;
mod settings;
mod tenants;

use std::io::Write;
use std::thread;
use std::time::SystemTime;

use halcyon_core::placement::RegionStatus;
use halcyon_core::regions::next_failover;
use serde_json::Value;

use crate::dice::Dice;
use crate::python::peer;
use crate::setting::{tenant, write_answer};
use crate::{ids, json};
use settings::{random_names, random_setting};
use tenants::{random_health, random_release, random_tenant};

const CASES: usize = 100_000;
/// Cases that share a configuration.
const TOGETHER: usize = 20;
/// Processes that answer.
const AT_ONCE: usize = 2;

#[test]
fn both_implementations_agree_on_100_000_random_cases() {
    let given = std::env::var("HALCYON_RANDOM_SEED").ok();
    let seed = given.map_or_else(new_seed, |seed| seed.parse().expect("a number"));
    // Past the capture of the test runner: a seed nobody has seen repeats nothing.
    let say = format!("random cases: {CASES}, HALCYON_RANDOM_SEED={seed}");
    writeln!(std::io::stderr(), "{say}").unwrap();
    let compared: Vec<Option<usize>> = thread::scope(|scope| {
        let part = |part| scope.spawn(move || compare(Dice(seed.rotate_left(32) ^ part)));
        let parts: Vec<_> = (0..AT_ONCE as u64).map(part).collect();
        let joined = parts.into_iter().map(|part| part.join());
        joined
            .map(|compared| compared.unwrap_or_else(|_| panic!("HALCYON_RANDOM_SEED={seed}")))
            .collect()
    });
    // None where there is no Python.
    if let Some(compared) = compared.into_iter().sum::<Option<usize>>() {
        assert_eq!(compared, CASES);
    }
}

/// Compares one process's share of the cases and says how many they were.
fn compare(mut dice: Dice) -> Option<usize> {
    let groups = (0..CASES / TOGETHER / AT_ONCE).map(|_| random_group(&mut dice));
    let (asked, answered): (Vec<String>, Vec<String>) = groups.unzip();
    let found = peer(&["answer"], asked.join("\n") + "\n")?;
    assert_eq!(found.lines().count(), asked.len());
    let mut compared = 0;
    for ((question, ours), theirs) in asked.iter().zip(&answered).zip(found.lines()) {
        let [ours, theirs]: [Value; 2] =
            [ours, theirs].map(|text| serde_json::from_str(text).unwrap());
        assert!(ours == theirs, "{}", difference(question, &ours, &theirs));
        compared += ours["answers"].as_array().unwrap().len();
    }
    Some(compared)
}

/// The first case of a group on which the two do not agree.
fn difference(question: &str, ours: &Value, theirs: &Value) -> String {
    let question: Value = serde_json::from_str(question).unwrap();
    let under = format!(
        "under env {} and rules {}",
        question["env"], question["rules"]
    );
    let asks = question["asks"].as_array().unwrap();
    let differs = (0..asks.len()).find(|place| ours["answers"][place] != theirs["answers"][place]);
    let (ask, ours, theirs) = match differs {
        Some(place) => (
            &asks[place],
            &ours["answers"][place],
            &theirs["answers"][place],
        ),
        None => (&question["current"], &ours["next"], &theirs["next"]),
    };
    format!("the core answers {ours}, the second implementation {theirs}, to {ask} {under}")
}

fn new_seed() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    since.as_nanos() as u64 & 0xffff_ffff
}

/// A configuration with its questions, and the core's answers.
fn random_group(dice: &mut Dice) -> (String, String) {
    let names = random_names(dice);
    let tenants: Vec<String> = (0..TOGETHER).map(|_| random_tenant(dice)).collect();
    let setting = random_setting(dice, &names, &tenants);
    let router = match dice.often(5) {
        true if names.len() <= 3 => setting.router().prepare(),
        _ => setting.router(),
    };
    let (mut asks, mut answers) = (Vec::new(), Vec::new());
    for id in &tenants {
        let health = random_health(dice, names.len());
        let release = random_release(dice);
        let slots = release
            .as_ref()
            .map_or_else(|| router.slot_rule(None), |seen| seen.rule(&router));
        answers.push(json::object(&write_answer(router.route(
            tenant(id),
            &health,
            &slots,
        ))));
        let not_up = names
            .iter()
            .zip(&health)
            .filter(|(_, status)| **status != RegionStatus::Up);
        let not_up: Vec<(&String, String)> = not_up
            .map(|(name, status)| (name, json::text(status.name())))
            .collect();
        asks.push(json::object(&[
            ("tenant", ids::write(id)),
            ("health", json::object(&not_up)),
            (
                "release",
                release.map_or("null".into(), |seen| seen.write()),
            ),
        ]));
    }
    let current = if setting.has("PRIMARY_REGION") && dice.often(20) {
        "moon"
    } else {
        dice.pick(&names)
    };
    let next = next_failover(&setting, current)
        .map_or("null".into(), |region| json::text(region.as_str()));
    let mut question = setting.write();
    question.push(("current", json::text(current)));
    question.push(("asks", json::list(asks)));
    let answer = [("answers", json::list(answers)), ("next", next)];
    (json::object(&question), json::object(&answer))
}
