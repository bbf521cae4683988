//! Every runtime answers with the package what the core answers.

use std::fmt::Debug;
use std::io::Write;
use std::time::SystemTime;

use halcyon_core::hash::TenantId;
use halcyon_core::regions;
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use serde_json::{Value, json};

use super::runtimes::Runtime;
use crate::cases::{Expected, Group};
use crate::conformance::{FILES, seed, vectors};
use crate::dice::Dice;

const RANDOM: usize = 10_000;
/// Cases that share a table.
const TOGETHER: usize = 100;

fn question(group: &Group, epoch: usize) -> Value {
    let tenants: Vec<&str> = group.asks.iter().map(|(id, _)| id.as_str()).collect();
    let mut table = group.table.clone();
    table["epoch"] = (epoch + 1).into();
    json!({ "table": table, "tenants": tenants })
}

/// Whether an answer (`region preferred slot reason`, or `!code`, and the cohort) is another one than the core's.
fn differs(answer: &str, expected: &Expected, cohort: Option<u8>) -> bool {
    let Some((answer, found)) = answer.rsplit_once(' ') else {
        return true;
    };
    if found != cohort.map_or("null".into(), |cohort| cohort.to_string()) {
        return true;
    }
    let Ok(region) = &expected.region else {
        return answer != "!residency_unavailable";
    };
    let words: Vec<&str> = answer.split(' ').collect();
    let [seen, _, slot, reason] = words[..] else {
        return true;
    };
    seen != region
        || expected
            .slot
            .as_deref()
            .is_some_and(|expected| expected != slot)
        || expected
            .reason
            .as_deref()
            .is_some_and(|expected| expected != reason)
}

/// Random variables, right and wrong ones, and what the core says of them.
fn variables(dice: &mut Dice) -> (Value, Value) {
    let names = [
        "us-east", "us-west", "eu-west", "ap-south", "US-EAST", "b@d", "", "sa-east",
    ];
    let mut regions: Vec<&str> = (0..dice.below(6))
        .map(|_| names[dice.below(names.len())])
        .collect();
    if dice.often(70) {
        regions.retain(|name| !["US-EAST", "b@d"].contains(name));
        let mut seen = Vec::new();
        regions.retain(|name| {
            !seen.contains(name) && {
                seen.push(*name);
                true
            }
        });
    }
    let mut env = serde_json::Map::new();
    let mut set = |dice: &mut Dice, name: &str, often: usize, values: &[&str]| {
        if dice.often(often) {
            env.insert(name.into(), values[dice.below(values.len())].into());
        }
    };
    let list = regions.join(",");
    set(dice, "REGIONS", 95, &[&list]);
    set(
        dice,
        "PRIMARY_REGION",
        70,
        &["us-east", "us-west", "eu-west", "mars", ""],
    );
    set(
        dice,
        "FAILOVER_POLICY",
        50,
        &["ordered", "round_robin", "Rendezvous", "nearest", ""],
    );
    set(
        dice,
        "TENANT_STICKY",
        60,
        &["hash", "RENDEZVOUS", "primary", "sticky", ""],
    );
    set(
        dice,
        "TENANT_HASH_KEY",
        30,
        &[
            "000102030405060708090a0b0c0d0e0f",
            "0",
            "zz0102030405060708090a0b0c0d0e0f",
        ],
    );
    set(
        dice,
        "REGION_WEIGHTS",
        40,
        &[
            "us-east=2",
            "us-east=0,us-west=65535",
            "us-east=65536",
            "mars=1",
            "us-east",
            "us-east=1,us-east=2",
        ],
    );
    set(dice, "CURRENT_REGION", 20, &["us-east", "mars", "m\u{fc}"]);
    set(dice, "TENANT_RULES_FILE", 5, &["rules.json"]);
    set(dice, "HALCYON_TOPOLOGY", 5, &["topology.toml"]);
    set(
        dice,
        "REGION_ENDPOINTS",
        20,
        &[
            "us-east=http://10.0.0.1:8086",
            "us-east=ftp://x",
            "mars=http://[::1]:1",
        ],
    );
    let env = Value::from(env);
    let lookup = |name: &str| env[name].as_str().map(String::from);
    let tenant = ["acme", "tenant123", "", "\u{fc}n\u{ef}"][dice.below(4)];
    let current = ["us-east", "eu-west", "mars"][dice.below(3)];
    let failure = |code: &str, problems: Vec<String>| json!({ "code": code, "problems": problems });
    let names = |regions: Vec<_>| {
        let names = regions.iter().map(halcyon_core::region::RegionName::as_str);
        json!(names.collect::<Vec<_>>())
    };
    let active = regions::active_regions(&lookup);
    let preferred = regions::preferred_region(&lookup, tenant);
    let next = match regions::next_failover(&lookup, current) {
        Ok(region) => json!(region.as_str()),
        Err(regions::FailoverError::Config(why)) => failure("bad_config", why.0),
        Err(why) => failure("no_failover", vec![why.to_string()]),
    };
    let expected = json!({
        "active": active.map_or_else(|why| failure("bad_config", why.0), names),
        "preferred": preferred.map_or_else(|why| failure("bad_config", why.0), |region| json!(region.as_str())),
        "next": next,
        "report": regions::validate_region_config(&lookup),
    });
    (
        json!({ "env": env, "tenant": tenant, "current": current }),
        expected,
    )
}

/// A table with a few things wrong, and what the core says of it.
fn bad_table(dice: &mut Dice) -> (Value, Value) {
    let mut table = crate::random::group(dice, 3).table;
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(9_007_199_254_740_991_u64),
        json!(""),
        json!("us-east"),
        json!("2026-02-30T00:00:00Z"),
        json!("\u{fc}\u{1f30d}\n"),
        json!([]),
        json!({}),
        json!([{"name": "x", "weight": 1, "status": "up"}, {"name": "X", "weight": 70_000, "status": "Up", "blue": "ftp://x"}]),
        json!({"residency": [{"tenant": "a*b", "regions": ["mars"]}], "pin": []}),
        json!({"id": "", "state": "idle", "weight": 101, "valid_until": "soon"}),
    ];
    for _ in 0..=dice.below(3) {
        let object = table.as_object_mut().unwrap();
        let names: Vec<String> = object.keys().cloned().collect();
        let name = &names[dice.below(names.len())];
        match dice.below(5) {
            0 => drop(object.remove(name)),
            1 => drop(object.insert(format!("{name}s"), json!(1))),
            _ => drop(object.insert(name.clone(), values[dice.below(values.len())].clone())),
        }
    }
    let expected = match Table::from_json(&table.to_string()) {
        Ok(table) => table.epoch().number().into(),
        Err(why) => json!({ "code": "bad_table", "problems": why.problems }),
    };
    (json!({ "bad": table }), expected)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.unwrap().as_millis() as u64)
}

#[test]
fn every_runtime_answers_with_the_package_what_the_core_answers() {
    compare(&Runtime::here(), |runtime, questions| {
        runtime.ask(questions)
    });
}

/// Asks packages every vector, random cases, and what is refused, and compares what they answer.
pub(crate) fn compare<P: Debug>(packages: &[P], ask: impl Fn(&P, &str) -> Value) {
    let seed = seed("package", RANDOM);
    let mut dice = Dice(seed);
    let random = (0..RANDOM / TOGETHER).map(|_| crate::random::group(&mut dice, TOGETHER));
    let random: Vec<Group> = random.collect();
    let vectors: Vec<Group> = FILES.iter().flat_map(|name| vectors(name)).collect();
    let others: Vec<(Value, Value)> = (0..2_000)
        .map(|turn| match turn % 2 {
            0 => variables(&mut dice),
            _ => bad_table(&mut dice),
        })
        .collect();
    let groups: Vec<&Group> = vectors.iter().chain(&random).collect();
    let questions = groups
        .iter()
        .enumerate()
        .map(|(epoch, group)| question(group, epoch));
    let questions: Vec<Value> = questions
        .chain(others.iter().map(|(asked, _)| asked.clone()))
        .collect();
    let questions = Value::from(questions).to_string();
    let of_vectors: usize = vectors.iter().map(|group| group.asks.len()).sum();
    let mut table = format!(
        "{:<22} {:>9} {:>9} {:>9} {:>12}\n",
        "package in", "vectors", "random", "refusals", "differences"
    );
    let mut all = 0;
    for runtime in packages {
        let answers = ask(runtime, &questions);
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), groups.len() + others.len());
        let (mut compared, mut differences, mut drawn) = (0, 0, 0);
        for (answers, group) in answers.iter().zip(&groups) {
            let answers = answers
                .as_array()
                .unwrap_or_else(|| panic!("{answers} under {}", group.table));
            assert_eq!(answers.len(), group.asks.len());
            let table = Table::from_json(&group.table.to_string()).unwrap();
            for (answer, (id, expected)) in answers.iter().zip(&group.asks) {
                compared += 1;
                let cohort = TenantId::new(id).ok();
                let cohort = cohort.and_then(|id| table.cohort(id, now()));
                drawn += usize::from(cohort.is_some());
                if differs(answer.as_str().unwrap(), expected, cohort) {
                    differences += 1;
                    eprintln!(
                        "{runtime:?}: {answer} for {id:?}, expected {expected:?} of cohort {cohort:?}, under {}",
                        group.table
                    );
                }
            }
        }
        assert_eq!(compared, of_vectors + RANDOM);
        assert!(
            (RANDOM / 10..compared).contains(&drawn),
            "{drawn} with a cohort"
        );
        for (answer, (asked, expected)) in answers[groups.len()..].iter().zip(&others) {
            // Of a day ahead of the clock: a table, and not one for an edge.
            let far = expected.as_u64().is_some_and(|epoch| epoch > 1 << 52);
            let far = far && answer["code"] == "refused_table";
            if answer != expected && !far {
                differences += 1;
                eprintln!("{runtime:?}: {answer}\nexpected {expected}\nfor {asked}");
            }
        }
        all += differences;
        table += &format!(
            "{:<22} {of_vectors:>9} {RANDOM:>9} {:>9} {differences:>12}\n",
            format!("{runtime:?}"),
            others.len()
        );
    }
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    assert_eq!(all, 0, "HALCYON_RANDOM_SEED={seed}\n{table}");
}
