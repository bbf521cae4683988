//! What stands in a line.

use serde_json::{Value, json};

use super::*;

/// The lines of commands given one after the other, as JSON.
fn records(commands: &[Command]) -> Vec<Value> {
    let mut desk = desk();
    for command in commands {
        desk.give(command);
    }
    desk.lines()
        .into_iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_line_looks_like_this() {
    let mut desk = desk();
    desk.give(&provision(None));
    let hash = sha256_hex(&desk.journal.as_bytes()[..desk.journal.rfind(",\"hash\":").unwrap()]);
    assert_eq!(
        desk.journal,
        format!(
            concat!(
                r#"{{"timestamp":"2025-10-02T09:30:00.000Z","action":"provision_green","image_tag":"app:v2","initial_blue":"app:v1","#,
                r#""state":"green_provisioned","blue_image":"app:v1","green_image":"app:v2","canary_weight":0,"#,
                r#""user":"ann","deploy_role":"Deployer","seq":1,"release_id":"r1","#,
                r#""prev_hash":"0000000000000000000000000000000000000000000000000000000000000000","hash":"{}"}}"#,
                "\n"
            ),
            hash
        )
    );
}

#[test]
fn the_hash_is_sha_256_of_the_bytes_before_the_last_hash_key_and_links_the_next_line() {
    let mut before = "0".repeat(64);
    for (number, line) in twelve().lines().into_iter().enumerate() {
        let at = line.rfind(",\"hash\":").unwrap();
        let digest: String = Sha256::digest(&line.as_bytes()[..at])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(&line[at..], format!(",\"hash\":\"{digest}\"}}"));
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["prev_hash"], before);
        assert_eq!(record["seq"], number + 1);
        before = digest;
    }
}

#[test]
fn the_hash_function_is_sha_256() {
    assert_eq!(
        sha256_hex(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn every_record_has_every_field_the_contract_names() {
    let fields = [
        "timestamp",
        "action",
        "state",
        "blue_image",
        "green_image",
        "canary_weight",
        "user",
        "deploy_role",
        "seq",
        "release_id",
        "prev_hash",
        "hash",
    ];
    for line in twelve().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        for field in fields {
            assert!(record.get(field).is_some(), "{field}: {line}");
        }
        assert!(
            line.rfind("\"hash\":").unwrap() > line.rfind("\"prev_hash\":").unwrap(),
            "hash is last: {line}"
        );
    }
}

#[test]
fn each_action_has_the_fields_of_its_own() {
    let commands = [
        provision(None),
        Command::StartCanary { weight: 2 },
        Command::IncreaseWeight { weight: 10 },
        Command::PromoteGreen,
        Command::RollbackToBlue {
            reason: "leak".into(),
        },
    ];
    let expected = [
        json!({"action": "provision_green", "image_tag": "app:v2", "state": "green_provisioned", "canary_weight": 0}),
        json!({"action": "start_canary", "weight": 2, "state": "canary", "canary_weight": 2}),
        json!({"action": "increase_weight", "old_weight": 2, "new_weight": 10, "state": "canary", "canary_weight": 10}),
        json!({"action": "promote_green", "new_blue": "app:v2", "state": "green_live", "canary_weight": 100, "blue_image": "app:v2"}),
        json!({"action": "rollback_to_blue", "reason": "leak", "old_state": "green_live", "old_weight": 100,
               "state": "rollback_in_progress", "canary_weight": 0, "blue_image": "app:v1"}),
        json!({"action": "rollback_complete", "state": "idle", "canary_weight": 0, "green_image": null}),
    ];
    let records = records(&commands);
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(&expected) {
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&record[field], value, "{field} of {record}");
        }
    }
}

#[test]
fn the_revision_is_that_of_the_last_record_that_changed_the_release() {
    let mut desk = desk();
    let rollback = Command::RollbackToBlue { reason: "x".into() };
    desk.give(&rollback);
    assert_eq!(
        (desk.ledger.head().seq, desk.ledger.revision()),
        (1, 0),
        "idle before and after"
    );
    desk.give(&provision(None));
    assert_eq!(desk.ledger.revision(), 2);
    desk.give(&rollback);
    let done = desk.ledger.head().seq;
    assert_eq!(desk.ledger.revision(), done);
    desk.give(&rollback);
    assert_eq!(
        (desk.ledger.head().seq, desk.ledger.revision()),
        (done + 1, done)
    );
    // Whoever reads it says the same.
    let (again, _) = read(desk.journal.as_bytes()).unwrap();
    assert_eq!(again.revision(), done);
}

#[test]
fn a_refused_attempt_names_who_tried_what_and_changes_nothing() {
    let mut desk = desk();
    desk.give(&provision(None));
    desk.actor = Actor {
        user: "eve".into(),
        role: "Viewer".into(),
    };
    desk.give(&Command::StartCanary { weight: 100 });
    let record: Value = serde_json::from_str(desk.lines()[1]).unwrap();
    assert_eq!(
        (
            &record["action"],
            &record["attempted"],
            &record["user"],
            &record["deploy_role"],
            &record["state"]
        ),
        (
            &json!("permission_denied"),
            &json!("start_canary"),
            &json!("eve"),
            &json!("Viewer"),
            &json!("green_provisioned")
        )
    );
    assert!(
        record["reason"]
            .as_str()
            .unwrap()
            .starts_with("Invalid DEPLOY_RBAC_ROLE: \"Viewer\"")
    );
    let (again, _) = read(desk.journal.as_bytes()).unwrap();
    assert_eq!(
        again, desk.ledger,
        "who was refused when is part of what a journal adds up to"
    );
}

#[test]
fn a_journal_reads_back_to_the_state_that_wrote_it() {
    let desk = twelve();
    let (ledger, torn) = read(desk.journal.as_bytes()).unwrap();
    assert_eq!((&ledger, torn), (&desk.ledger, 0));
    assert_eq!(ledger.head().seq, 12);
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let desk = twelve();
    let mut ledger = Ledger::default();
    for line in desk.lines() {
        let record = ledger.accept(line.as_bytes()).unwrap();
        assert_eq!(
            record.to_line(),
            (line.to_string(), ledger.head().hash.clone())
        );
    }
}

#[test]
fn bytes_cut_off_a_torn_tail_are_on_record_in_the_first_line_only() {
    let actor = desk().actor;
    let mut ledger = Ledger::default();
    let event = |reason: &str| {
        (
            Event::Pause {
                reason: reason.into(),
            },
            None,
        )
    };
    let lines = ledger.write(
        alloc::vec![event("a"), event("b")],
        &actor,
        Some(17),
        Timestamp(1),
    );
    let records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (
            &records[0]["torn_tail_cut"],
            records[1].get("torn_tail_cut")
        ),
        (&json!(17), None)
    );
    assert_eq!(read(lines.as_bytes()).unwrap(), (ledger, 0));
}

#[test]
fn nothing_to_write_is_no_line() {
    let mut ledger = Ledger::default();
    assert_eq!(
        ledger.write(Vec::new(), &desk().actor, Some(3), Timestamp(1)),
        ""
    );
    assert_eq!(ledger, Ledger::default());
}

#[test]
fn a_clock_that_went_back_breaks_nothing() {
    let mut desk = desk();
    for (command, now) in [
        (provision(None), 9_000_000),
        (Command::StartCanary { weight: 1 }, 5),
        (Command::PromoteGreen, 0),
    ] {
        desk.now = Timestamp(now);
        desk.give(&command);
    }
    assert_eq!(read(desk.journal.as_bytes()).unwrap().0, desk.ledger);
}

#[test]
fn a_head_is_written_and_read_as_number_and_hash() {
    let head = twelve().ledger.head().clone();
    assert_eq!(head.to_string(), format!("12:{}", head.hash));
    assert_eq!(Head::parse(&head.to_string()), Ok(head));
    assert_eq!(Head::default().hash, "0".repeat(64));
    let hash = "a".repeat(64);
    for bad in [
        String::new(),
        "12".into(),
        "12:".into(),
        format!("0:{hash}"),
        format!("-1:{hash}"),
        format!("+5:{hash}"),
        format!("5:{hash}0"),
        format!("5:{}", hash.to_uppercase()),
        format!(" 5:{hash}"),
        format!("99999999999999999999:{hash}"),
        format!("5:{}", "g".repeat(64)),
    ] {
        assert!(
            Head::parse(&bad).unwrap_err().contains("allowed: SEQ:HASH"),
            "{bad}"
        );
    }
}
