//! Law 13: a command under a key takes effect at most once, and what a key stands for is in the journal.

use std::collections::BTreeMap;

use halcyon_core::ledger::{Key, Keyed, Ledger};
use halcyon_core::release::{Command, Context, Rejection};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use proptest::prelude::*;

use crate::world::{actors, commands};

#[derive(Debug, Clone)]
struct Request {
    actor: Actor,
    key: Key,
    command: Command,
}

/// Few keys, so that they meet again, with the same command or another.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let pool = proptest::collection::vec(commands(), 4);
    let picks = proptest::collection::vec((actors(), "k[0-3]", 0_usize..4), 0..40);
    (pool, picks).prop_map(|(pool, picks)| {
        let request = |(actor, key, nth): (Actor, String, usize)| Request {
            actor,
            key: Key::parse(&key).unwrap(),
            command: pool[nth].clone(),
        };
        picks.into_iter().map(request).collect()
    })
}

/// What a request was answered with: numbers of records, or why not.
type Answer = Result<Vec<u64>, Rejection>;

fn ask(ledger: &mut Ledger, journal: &mut String, request: &Request, now: Timestamp) -> Answer {
    let context = Context {
        actor: &request.actor,
        kill_switch: false,
        new_release_id: "r1",
    };
    if let Some(seqs) = ledger.recall(&request.key, &request.command, &context)? {
        return Ok(seqs.collect());
    }
    let release = ledger.release();
    let events = release.decide(&request.command, &context)?;
    let events: Vec<_> = events
        .into_iter()
        .map(|event| (event.clone(), release.release_id_of(&event, &context)))
        .collect();
    let first = ledger.head().seq + 1;
    let keyed = Keyed::new(&request.key, &request.command);
    journal.push_str(&ledger.write_keyed(events, &request.actor, Some(&keyed), None, now));
    Ok((first..=ledger.head().seq).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_command_under_a_key_takes_effect_at_most_once(requests in requests(), crash in any::<bool>()) {
        let (mut ledger, mut journal) = (Ledger::default(), String::new());
        // Kept apart from the ledger: what a user's key stands for, and what came of it.
        let mut known: BTreeMap<(String, Key), (Command, Vec<u64>)> = BTreeMap::new();
        for (request, now) in requests.iter().zip(1_u64..) {
            if crash {
                // All that is left of a process is its journal.
                let mut again = Ledger::default();
                for line in journal.lines() {
                    again.accept(line.as_bytes()).unwrap();
                }
                prop_assert_eq!(&again, &ledger);
                ledger = again;
            }
            let before = journal.clone();
            let answer = ask(&mut ledger, &mut journal, request, Timestamp(now * 2000));
            let owner = (request.actor.user.clone(), request.key.clone());
            if request.actor.authorise().is_err() {
                let refused_for_role = matches!(answer, Err(Rejection::Role { .. }));
                prop_assert!(refused_for_role, "the role comes first");
            } else {
                match known.get(&owner) {
                    Some((command, seqs)) if *command == request.command => {
                        prop_assert_eq!(answer.as_ref(), Ok(seqs));
                        prop_assert_eq!(&journal, &before, "nothing is done again");
                    }
                    Some((_, seqs)) => {
                        let reused = matches!(&answer, Err(Rejection::KeyReused { seq, .. }) if *seq == seqs[0]);
                        prop_assert!(reused, "{:?}", answer);
                    }
                    None => {
                        let reused = matches!(answer, Err(Rejection::KeyReused { .. }));
                        prop_assert!(!reused, "the key is new");
                    }
                }
            }
            match answer {
                Err(_) => prop_assert_eq!(&journal, &before, "a refusal leaves nothing"),
                Ok(seqs) if seqs.is_empty() => {}
                Ok(seqs) => drop(known.insert(owner, (request.command.clone(), seqs))),
            }
        }
    }
}
