//! Which tables an edge with keys takes: whole ones of its keys, and newer ones.

use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::hash::HashKey;

/// Compiled for WebAssembly each takes three times as long.
const MUTATED: u64 = if cfg!(target_arch = "wasm32") {
    20_000
} else {
    100_000
};

fn key(of: u8) -> SigningKey {
    SigningKey::from_bytes(&[of; 32])
}

fn public(key: &SigningKey) -> String {
    STANDARD.encode(key.verifying_key().as_bytes())
}

fn sign(key: &SigningKey, table: &[u8]) -> String {
    STANDARD.encode(key.sign(table).to_bytes())
}

fn gate(keys: &[&SigningKey]) -> Gate {
    let keys: Vec<String> = keys.iter().map(|key| public(key)).collect();
    Gate {
        keys: TableKeys::parse(&keys).unwrap(),
        deployment: Some("shop".into()),
    }
}

fn json(epoch: u64, deployment: &str, primary: &str) -> String {
    format!(
        r#"{{"format":1,"epoch":{epoch},"issued_at":"2026-01-01T00:00:00.000Z","deployment":"{deployment}","regions":[{{"name":"us-east","weight":1,"status":"up","blue":"http://10.0.0.1:80","green":"http://10.0.0.2:80"}},{{"name":"us-west","weight":2,"status":"down","blue":"http://10.0.1.1:80","green":"http://10.0.1.2:80"}}],"primary":"{primary}","sticky":"rendezvous","failover":"ordered","hash_key":"000102030405060708090a0b0c0d0e0f","release":{{"id":"r1","state":"canary","weight":25,"valid_until":"2026-01-01T00:03:00.000Z"}}}}"#
    )
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 += 1;
        HashKey::default().sip13(&self.0.to_le_bytes())
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }
}

/// Something that happens to bytes on their way, or that somebody does to them.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len());
    match dice.below(6) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.insert(at, dice.roll() as u8),
        2 => drop(bytes.remove(at)),
        3 => bytes.truncate(at),
        4 => {
            let end = at + dice.below(bytes.len() - at);
            let part = bytes[at..end].to_vec();
            bytes.extend(part);
        }
        _ => {
            let other = dice.below(bytes.len());
            bytes.swap(at, other);
        }
    }
}

#[test]
fn of_100_000_changed_tables_none_is_taken() {
    let ours = key(1);
    let gate = gate(&[&ours]);
    let now = Timestamp(1_767_225_600_000);
    let held = json(7, "shop", "us-east");
    let signature = sign(&ours, held.as_bytes());
    let held_table = gate.judge(held.as_bytes(), Some(&signature), None, now);
    let held_table = held_table.unwrap().unwrap();
    let next = json(8, "shop", "us-west");
    let next_signature = sign(&ours, next.as_bytes());
    let judge =
        |bytes: &[u8], signature: &str| gate.judge(bytes, Some(signature), Some(&held_table), now);
    let mut dice = Dice(0);
    for number in 0..MUTATED {
        let mut bytes = next.clone().into_bytes();
        let mut signature = STANDARD.decode(&next_signature).unwrap();
        match number % 4 {
            0 => mutate(&mut dice, &mut signature),
            _ => {
                for _ in 0..=dice.below(3) {
                    if !bytes.is_empty() {
                        mutate(&mut dice, &mut bytes);
                    }
                }
            }
        }
        let same = bytes == next.as_bytes() && STANDARD.encode(&signature) == next_signature;
        if !same {
            let taken = judge(&bytes, &STANDARD.encode(&signature));
            assert!(
                taken.is_err(),
                "{number}: {}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
    assert!(judge(next.as_bytes(), &next_signature).unwrap().is_some());
}

#[test]
fn a_signed_table_that_is_older_another_deployments_or_mad_is_not_taken() {
    let ours = key(1);
    let gate = gate(&[&ours]);
    let now = Timestamp(1_767_225_600_000);
    let signed = |json: &str, held: Option<&Table>| {
        gate.judge(
            json.as_bytes(),
            Some(&sign(&ours, json.as_bytes())),
            held,
            now,
        )
    };
    let held = signed(&json(7, "shop", "us-east"), None).unwrap().unwrap();
    let held = Some(&held);
    let day = now.0 + 86_400_001;
    for (json, why) in [
        (json(6, "shop", "us-east"), "older than epoch 7"),
        (json(7, "shop", "us-west"), "another table of that epoch"),
        (json(8, "bank", "us-east"), "HALCYON_DEPLOYMENT"),
        (json(day, "shop", "us-east"), "more than a day ahead"),
        (json(u64::MAX, "shop", "us-east"), "epoch"),
        (json(8, "shop", "eu-west"), "eu-west"),
        ("{}".into(), "format"),
        ("{".into(), "JSON"),
        (String::new(), "JSON"),
        (" ".repeat(LONGEST + 1), "allowed: at most 16777216"),
    ] {
        let refused = signed(&json, held).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
    // All weights 0: as if all had weight 1.
    let weightless = json(8, "shop", "us-east").replace(r#""weight":1,"#, r#""weight":0,"#);
    let weightless = weightless.replace(r#""weight":2,"#, r#""weight":0,"#);
    let table = signed(&weightless, held).unwrap().unwrap();
    let found = table.route(crate::hash::TenantId::new("acme").unwrap(), now);
    assert_eq!(found.unwrap().region.as_str(), "us-east");
    assert!(signed(&json(7, "shop", "us-east"), held).unwrap().is_none());
    assert!(signed(&json(8, "shop", "us-east"), held).unwrap().is_some());
}

#[test]
fn nothing_is_parsed_of_a_table_that_nobody_we_know_has_signed() {
    let [ours, other] = [key(1), key(2)];
    let gate = gate(&[&ours]);
    for bytes in [
        &b"{"[..],
        b"",
        b"\xff\xfe",
        json(8, "bank", "nowhere").as_bytes(),
    ] {
        let refused = gate.judge(bytes, Some(&sign(&other, bytes)), None, NOW);
        assert_eq!(
            refused.unwrap_err(),
            "its signature is not one of TABLE_KEYS over these bytes"
        );
        let refused = gate.judge(bytes, None, None, NOW).unwrap_err();
        assert!(refused.starts_with("it is not signed"), "{refused}");
    }
}
