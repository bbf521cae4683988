//! Commands that come with a key.

use super::*;
use alloc::string::String;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn rollback(reason: &str) -> Command {
    Command::RollbackToBlue {
        reason: reason.into(),
    }
}

impl Desk {
    fn context(&self) -> Context<'_> {
        Context {
            actor: &self.actor,
            kill_switch: false,
            new_release_id: "r1",
        }
    }

    fn recall(&self, name: &str, command: &Command) -> Result<Option<(u64, u64)>, Rejection> {
        let found = self.ledger.recall(&key(name), command, &self.context())?;
        Ok(found.map(|seqs| (*seqs.start(), *seqs.end())))
    }

    /// Gives a command under a key; answers the numbers of its records.
    fn give_under(&mut self, name: &str, command: &Command) -> (u64, u64) {
        if let Some(seqs) = self.recall(name, command).unwrap() {
            return seqs;
        }
        let release = self.ledger.release();
        let events = release.decide(command, &self.context()).unwrap();
        let events = events.into_iter().map(|event| (event, None)).collect();
        let first = self.ledger.head().seq + 1;
        let keyed = Keyed::new(&key(name), command);
        let lines =
            self.ledger
                .write_keyed(events, &self.actor.clone(), Some(&keyed), None, self.now);
        self.journal.push_str(&lines);
        (first, self.ledger.head().seq)
    }
}

#[test]
fn a_key_is_1_to_255_visible_ascii_characters() {
    for good in ["a", "~!", &"k".repeat(255)] {
        assert_eq!(key(good).as_str(), good);
    }
    for bad in ["", " ", "a b", "a\n", "\u{e9}", "\u{7f}", &"k".repeat(256)] {
        let why = Key::parse(bad).unwrap_err();
        assert!(why.contains("1 to 255 visible ASCII"), "{why}");
    }
}

#[test]
fn the_same_command_under_the_same_key_is_answered_with_its_first_records() {
    let mut desk = desk();
    assert_eq!(desk.give_under("k1", &provision(None)), (1, 1));
    assert_eq!(desk.give_under("k2", &rollback("slow")), (2, 3));
    let journal = desk.journal.clone();
    assert_eq!(desk.give_under("k1", &provision(None)), (1, 1));
    assert_eq!(desk.give_under("k2", &rollback("slow")), (2, 3));
    assert_eq!(desk.journal, journal, "nothing was written");
}

#[test]
fn a_key_that_stands_for_another_command_is_refused_by_name() {
    let mut desk = desk();
    desk.give(&provision(None));
    desk.give_under("k", &rollback("slow"));
    for other in [rollback("slower"), Command::Resume, provision(None)] {
        let refused = desk.recall("k", &other).unwrap_err();
        let expected = "idempotency key k stands for another command, that of record 2";
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn every_user_has_keys_of_their_own() {
    let mut desk = desk();
    desk.give_under("k", &rollback("slow"));
    desk.actor.user = "bob".into();
    assert_eq!(desk.recall("k", &rollback("slow")), Ok(None));
    assert_eq!(desk.recall("k", &Command::Resume), Ok(None));
    // The role is no part of who somebody is.
    desk.actor = Actor {
        user: "ann".into(),
        role: "Admin".into(),
    };
    assert_eq!(desk.recall("k", &rollback("slow")), Ok(Some((1, 1))));
}

#[test]
fn whoever_may_not_release_is_refused_before_the_key_is_looked_at() {
    let mut desk = desk();
    desk.give_under("k", &rollback("slow"));
    desk.actor.role = "Viewer".into();
    for name in ["k", "new"] {
        let refused = desk.recall(name, &Command::Resume).unwrap_err();
        assert!(matches!(refused, Rejection::Role { .. }), "{refused}");
    }
}

#[test]
fn a_command_that_changed_nothing_leaves_its_key_as_it_was() {
    let pause = Command::Pause {
        reason: "lunch".into(),
    };
    let mut desk = desk();
    desk.give(&provision(None));
    desk.give(&pause);
    desk.give_under("k", &pause);
    assert_eq!(desk.lines().len(), 2);
    assert_eq!(desk.recall("k", &Command::Resume), Ok(None));
}

#[test]
fn what_is_remembered_is_read_back_from_the_lines() {
    let mut desk = desk();
    desk.give_under("k1", &provision(Some(plan())));
    desk.give_under("k2", &rollback("slow"));
    let (again, _) = read(desk.journal.as_bytes()).unwrap();
    assert_eq!(again, desk.ledger);
    let line = desk.lines()[0];
    let digest = &Keyed::new(&key("k1"), &provision(Some(plan()))).command_sha256;
    let fields = format!(r#","idempotency_key":"k1","command_sha256":"{digest}","seq":1,"#);
    assert!(line.contains(&fields), "{line}");
    desk.give(&Command::AttachDriver);
    assert!(!desk.lines().last().unwrap().contains("idempotency_key"));
}

/// A digest made with other tools: a stranger's client may check what a key stands for.
#[test]
fn a_command_has_the_digest_of_its_canonical_json() {
    let json = r#"{"command":"rollback_to_blue","reason":"slow"}"#;
    assert_eq!(serde_json::to_string(&rollback("slow")).unwrap(), json);
    assert_eq!(
        Keyed::new(&key("k"), &rollback("slow")).command_sha256,
        "086ac5edb55e74c9a204bb862173157538df16f839f2597a80df900f2485ad38"
    );
}

#[test]
fn the_oldest_of_too_many_keys_is_forgotten_the_same_way_live_and_on_replay() {
    let mut desk = desk();
    let nth = |n: usize| (format!("k{n}"), rollback(&format!("reason {n}")));
    for n in 0..=KEYS_REMEMBERED {
        let (name, command) = nth(n);
        desk.give_under(&name, &command);
    }
    let (again, _) = read(desk.journal.as_bytes()).unwrap();
    assert_eq!(again, desk.ledger);
    let (name, command) = nth(0);
    assert_eq!(desk.recall(&name, &command), Ok(None), "pushed out");
    let (name, command) = nth(1);
    assert_eq!(desk.recall(&name, &command), Ok(Some((2, 2))));
    let (name, command) = nth(KEYS_REMEMBERED);
    let last = KEYS_REMEMBERED as u64 + 1;
    assert_eq!(desk.recall(&name, &command), Ok(Some((last, last))));
    // The key that was pushed out is new again.
    assert_eq!(
        desk.give_under("k0", &rollback("again")),
        (last + 1, last + 1)
    );
}

/// Another writer may not look a key up before it uses it again.
#[test]
fn a_key_that_was_used_again_stands_for_its_last_command() {
    let mut desk = desk();
    let write = |desk: &mut Desk, name: &str, command: &Command| {
        let keyed = Keyed::new(&key(name), command);
        let events = desk.ledger.release().decide(command, &desk.context());
        let events = events.unwrap().into_iter().map(|event| (event, None));
        let events = events.collect();
        let actor = desk.actor.clone();
        desk.ledger
            .write_keyed(events, &actor, Some(&keyed), None, desk.now)
    };
    write(&mut desk, "k", &rollback("one"));
    write(&mut desk, "k", &rollback("two"));
    assert_eq!(desk.recall("k", &rollback("two")), Ok(Some((2, 2))));
    assert!(desk.recall("k", &rollback("one")).is_err());
    write(&mut desk, "between", &rollback("three"));
    write(&mut desk, "k", &rollback("two"));
    assert_eq!(desk.recall("k", &rollback("two")), Ok(Some((4, 4))));
    // It is one of the remembered ones, and the newest.
    for n in 2..KEYS_REMEMBERED {
        write(&mut desk, &format!("k{n}"), &rollback("more"));
    }
    assert_eq!(desk.recall("between", &rollback("three")), Ok(Some((3, 3))));
    write(&mut desk, "last", &rollback("more"));
    assert_eq!(desk.recall("between", &rollback("three")), Ok(None));
    assert_eq!(desk.recall("k", &rollback("two")), Ok(Some((4, 4))));
    write(&mut desk, "very-last", &rollback("more"));
    assert_eq!(desk.recall("k", &rollback("two")), Ok(None));
}

#[test]
fn a_line_with_half_a_key_or_one_that_is_none_is_corruption() {
    let mut desk = desk();
    desk.give_under("k", &rollback("slow"));
    let line = String::from(desk.lines()[0]);
    let digest = Keyed::new(&key("k"), &rollback("slow")).command_sha256;
    let key = r#""idempotency_key":"k","#;
    let digest_field = format!(r#""command_sha256":"{digest}","#);
    for (from, to) in [
        (key, ""),
        (key, r#""idempotency_key":"a b","#),
        (&digest_field, ""),
        (&digest_field, r#""command_sha256":"12","#),
    ] {
        let body = line.replace(from, to);
        assert_ne!(body, line);
        let body = body.rsplit_once(HASH_KEY).unwrap().0;
        let forged = format!("{body}{HASH_KEY}{}\"}}", sha256_hex(body.as_bytes()));
        let found = Ledger::default().accept(forged.as_bytes());
        assert_eq!(found.unwrap_err().seq, 1, "{from} -> {to}");
    }
}
