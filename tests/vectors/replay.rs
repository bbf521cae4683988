//! Puts the questions of the files to the core again, through what it offers every caller.

use halcyon_core::hash::{HashKey, fmix64};
use halcyon_core::placement::Router;
use halcyon_core::regions::{next_failover, preferred_region};
use halcyon_core::release::Phase;
use serde_json::Value;

use crate::script::Machine;
use crate::setting::{Answer, Seen, Setting, read_health, tenant, write_answer};
use crate::write::{crowds, orders};
use crate::{ids, json};

/// Replays one file and answers with how many cases it has.
pub(crate) fn file(name: &str, text: &str) -> usize {
    let file: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!(file["format"], 1, "{name}");
    let replay = match name {
        "hash.json" => hash,
        "placement.json" => placement,
        "orders.json" => order,
        "crowds.json" => crowd,
        "rules.json" => rule,
        "routing.json" => routing,
        "failover.json" => failover,
        "slots.json" => slots,
        "releases.json" => releases,
        other => panic!("nothing replays {other}"),
    };
    let mut count = 0;
    for group in file["groups"].as_array().unwrap() {
        replay(group);
        count += group["cases"].as_array().unwrap().len();
    }
    count
}

fn cases(group: &Value) -> impl Iterator<Item = (&Value, String)> {
    let cases = group["cases"].as_array().unwrap().iter();
    cases.map(|case| (case, ids::read_if_any(&case["tenant"])))
}

/// Compares an answer in the words of a vector with the members of its case.
fn check(group: &Value, case: &Value, found: &[(&'static str, String)]) {
    for (name, value) in found {
        let value: Value = serde_json::from_str(value).unwrap();
        let mut shared = group.clone();
        shared["cases"] = Value::Null;
        assert_eq!(case[*name], value, "{name} of {case} under {shared}");
    }
}

fn hash(group: &Value) {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    };
    for (case, id) in cases(group) {
        let found = match (&group["function"], case["bytes"].as_str()) {
            (Value::String(name), _) if name == "fmix64" => {
                let x = u64::from_str_radix(case["x"].as_str().unwrap(), 16).unwrap();
                ("mixed", json::hex(fmix64(x)))
            }
            (_, input) => {
                let key = HashKey::from_hex(group["key"].as_str().unwrap()).unwrap();
                let input = input.map_or_else(|| id.into_bytes(), bytes);
                ("hash", json::hex(key.sip13(&input)))
            }
        };
        check(group, case, &[found]);
    }
}

/// One bucket at a time, from a prepared table, and by the function of the earlier system.
fn placement(group: &Value) {
    let setting = Setting::read(group);
    let router = setting.router();
    let region = |router: &Router, id: &str| router.preferred(tenant(id)).unwrap().to_string();
    let prepared = (router.len() <= 32).then(|| router.clone().prepare());
    for (case, id) in cases(group) {
        let computed = region(&router, &id);
        let hash = ("hash", json::hex(router.hash(tenant(&id))));
        check(group, case, &[("region", json::text(&computed)), hash]);
        assert_eq!(preferred_region(&setting, &id).unwrap().as_str(), computed);
        let prepared = prepared.as_ref().map(|router| region(router, &id));
        assert!(
            prepared.is_none_or(|prepared| prepared == computed),
            "{case}"
        );
        let placed = router
            .route(tenant(&id), &[], &router.slot_rule(None))
            .unwrap();
        assert_eq!(
            (placed.region, placed.region.as_str()),
            (placed.preferred, computed.as_str())
        );
    }
}

fn order(group: &Value) {
    let setting = Setting::read(group);
    for (case, id) in cases(group) {
        let found = json::texts(orders::order(&setting, &id));
        check(group, case, &[("order", found)]);
    }
}

fn crowd(group: &Value) {
    let setting = Setting::read(group);
    for (case, _) in cases(group) {
        let count = case["count"].as_u64().unwrap() as usize;
        let prefix = case["prefix"].as_str().unwrap();
        let (counts, digest) =
            crowds::crowd(&setting, &read_health(&case["health"]), prefix, count);
        let counts = serde_json::to_string(&counts).unwrap();
        check(
            group,
            case,
            &[("counts", counts), ("digest", json::hex(digest))],
        );
    }
}

fn read_seen(release: &Value, weight: &Value) -> Seen {
    Seen {
        id: release["id"].as_str().unwrap().into(),
        phase: Phase::parse(release["state"].as_str().unwrap()).unwrap(),
        weight: weight.as_i64().unwrap(),
    }
}

fn rule(group: &Value) {
    let router = Setting::read(group).router();
    let release = &group["release"];
    let slots = read_seen(release, &release["weight"]).rule(&router);
    let health = read_health(&group["health"]);
    for (case, id) in cases(group) {
        let answer = router.route(tenant(&id), &health, &slots);
        assert_eq!(answer.is_err(), case.get("error").is_some(), "{case}");
        check(group, case, &write_answer(answer));
        assert_eq!(router.explain(tenant(&id), &health, &slots).outcome, answer);
    }
}

fn routing(group: &Value) {
    let router = Setting::read(group).router();
    let slots = router.slot_rule(None);
    let tenants: Vec<&str> = group["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    for (case, _) in cases(group) {
        let health = read_health(&case["health"]);
        let routed = tenants
            .iter()
            .map(|id| router.route(tenant(id), &health, &slots));
        for (answer, preferred) in routed.clone().zip(group["preferred"].as_array().unwrap()) {
            let as_said = |answer: Answer<'_>| {
                answer.is_ok_and(|found| preferred == found.preferred.as_str())
            };
            assert!(
                answer.is_err() || as_said(answer),
                "{answer:?}, not {preferred}"
            );
        }
        let answers = json::list(routed.map(crate::write::routing::write));
        check(group, case, &[("answers", answers)]);
    }
}

fn failover(group: &Value) {
    let setting = Setting::read(group);
    for (case, _) in cases(group) {
        let answer = next_failover(&setting, case["current"].as_str().unwrap());
        let found = match answer {
            Ok(region) => ("region", json::text(region.as_str())),
            Err(why) => ("error", json::text(&why.to_string())),
        };
        check(group, case, &[found]);
    }
}

fn slots(group: &Value) {
    let router = Setting::read(group).router();
    let weights = group["weights"].as_array().unwrap();
    let rules: Vec<_> = weights
        .iter()
        .map(|weight| read_seen(&group["release"], weight).rule(&router))
        .collect();
    for (case, id) in cases(group) {
        let bucket = rules[0].bucket(router.hash(tenant(&id)));
        let slot = |rule| router.route(tenant(&id), &[], rule).unwrap().slot.name();
        let found = json::texts(rules.iter().map(slot));
        check(
            group,
            case,
            &[("bucket", bucket.to_string()), ("slots", found)],
        );
    }
}

fn releases(group: &Value) {
    let mut machine = Machine::new();
    for (case, _) in cases(group) {
        let found = machine.give(&case["do"]);
        assert_eq!(found.len() + 1, case.as_object().unwrap().len(), "{case}");
        check(group, case, &found);
    }
}
