//! The package `@halcyon/page` in Node says what the command line says, to the byte.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use halcyon_core::table::{Moves, Table};
use halcyon_core::text::json;
use halcyon_core::time::Timestamp;
use halcyon_tests::store::Store;
use serde_json::{Value, json};

use crate::documented::is_there;
use crate::edge::target;

/// The package's files, by name.
fn package() -> &'static [(&'static str, Vec<u8>)] {
    static PACKAGE: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        halcyon_wasm_build::build_page(&target()).unwrap_or_else(|why| panic!("{why}"))
    })
}

/// What the package answers to each call; `None` where there is no Node.
fn page(calls: &[Value]) -> Option<Vec<String>> {
    if !is_there("node") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in package() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    Some(said(folder.path(), calls))
}

/// What the package in a folder answers to each call, in Node.
pub(crate) fn said(package: &Path, calls: &[Value]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm/hosts/page.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(package);
    let mut node = node
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = calls.iter().map(Value::to_string).collect();
    let mut stdin = node.stdin.take().unwrap();
    let asking = std::thread::spawn(move || stdin.write_all((lines.join("\n") + "\n").as_bytes()));
    let output = node.wait_with_output().unwrap();
    asking.join().unwrap().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let texts = said.lines().map(|line| serde_json::from_str(line).unwrap());
    let texts: Vec<String> = texts.collect();
    assert_eq!(texts.len(), calls.len());
    texts
}

/// Calls of every journal.
pub(crate) fn calls() -> Vec<Value> {
    let journals = journals().into_iter();
    let calls = journals.flat_map(|(_, bytes)| {
        ["verify", "tail", "offers"]
            .map(|call| json!({"call": call, "journal": hex(&bytes), "role": "Deployer"}))
    });
    calls.collect()
}

/// Asks the package and compares each answer with what it should be.
#[track_caller]
fn compare(asked: Vec<(Value, String)>) {
    let (calls, expected): (Vec<Value>, Vec<String>) = asked.into_iter().unzip();
    let Some(said) = page(&calls) else { return };
    for ((said, expected), call) in said.iter().zip(&expected).zip(&calls) {
        let call: String = call.to_string().chars().take(400).collect();
        assert_eq!(said, expected, "{call}");
    }
}

const RULES: &str = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west","eu-central"]},{"tenant":"nowhere","regions":[]}],"pins":[{"tenant":"acme","region":"us-west"},{"tenant":"bank-1","region":"us-east"}],"slots":[{"tenant":"staff-*","slot":"green"}]}"#;

const TENANTS: [&str; 12] = [
    "tenant123",
    "acme",
    "bank-1",
    "bank-7",
    "nowhere",
    "staff-9",
    "Zo\u{eb}",
    "\u{1f426}\u{2028}\u{7f}",
    "a\"\\\u{1}\n",
    "\u{0}",
    " ",
    "x",
];

/// Configurations, by what is set beside the regions.
fn configurations(rules: &str) -> Vec<Vec<(&str, &str)>> {
    let mut all = Vec::new();
    for sticky in ["primary", "hash", "rendezvous"] {
        for policy in ["ordered", "round_robin", "rendezvous"] {
            all.push(vec![
                ("REGIONS", "us-east,us-west,eu-west,eu-central"),
                ("PRIMARY_REGION", "us-east"),
                ("REGION_WEIGHTS", "us-east=3,eu-central=0"),
                ("TENANT_STICKY", sticky),
                ("FAILOVER_POLICY", policy),
                ("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f"),
                ("TENANT_RULES_FILE", rules),
            ]);
        }
    }
    all
}

/// A store whose journal is at a canary of 30 %.
fn canary() -> Store {
    let store = Store::new();
    let mut journal = Journal::default();
    journal.give("provision_green", "app:v2");
    journal.give("start_canary", "30");
    std::fs::create_dir_all(store.logs()).unwrap();
    std::fs::write(store.log(), &journal.lines).unwrap();
    store
}

/// A journal made by hand.
#[derive(Default)]
struct Journal {
    ledger: halcyon_core::ledger::Ledger,
    lines: String,
}

impl Journal {
    fn give(&mut self, command: &str, argument: &str) {
        use halcyon_core::release::{Command, Context};
        let actor = halcyon_core::role::Actor {
            user: "Zo\u{eb}".into(),
            role: "Deployer".into(),
        };
        let context = Context {
            actor: &actor,
            kill_switch: false,
            new_release_id: "r1",
        };
        let command = Command::of_person(command, argument).unwrap();
        let release = self.ledger.release();
        let events = release.decide(&command, &context).unwrap();
        let events = events
            .into_iter()
            .map(|event| (event.clone(), release.release_id_of(&event, &context)));
        let events = events.collect();
        let now = Timestamp(1_759_397_400_000);
        self.lines += &self.ledger.write(events, &actor, None, now);
    }
}

#[test]
fn a_decision_is_explained_in_the_words_of_the_command_line() {
    let store = canary();
    let rules = store.dir().join("rules.json");
    std::fs::write(&rules, RULES).unwrap();
    let mut asked = Vec::new();
    for variables in configurations(rules.to_str().unwrap()) {
        for down in [
            &[][..],
            &["us-east"],
            &["us-east", "us-west", "eu-west", "eu-central"],
        ] {
            let table = store.run_with(&["table"], &variables).exits(0).stdout;
            let mut arguments = vec!["route", "--explain", "-o", "json"];
            arguments.extend(down.iter().flat_map(|region| ["--down", region]));
            let tenants: Vec<&str> = TENANTS
                .into_iter()
                .filter(|tenant| *tenant != "\u{0}")
                .collect();
            let arguments = [&arguments[..], &["--"], &tenants].concat();
            let said = store.run_with(&arguments, &variables).stdout;
            let call = json!({"call": "explain", "table": table, "down": down, "tenants": tenants});
            asked.push((call, said.trim_end().to_owned()));
        }
    }
    compare(asked);
}

#[test]
fn over_variables_it_is_the_same_without_a_release() {
    let store = Store::new();
    let mut asked = Vec::new();
    for mut variables in configurations("") {
        variables.retain(|(name, _)| *name != "TENANT_RULES_FILE");
        let long = "x".repeat(16_385);
        let tenants = ["acme", "tenant1", "", &long];
        let arguments = [&["route", "--explain", "-o", "json"][..], &tenants].concat();
        let said = store.run_with(&arguments, &variables).exits(1).stdout;
        let env: serde_json::Map<String, Value> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let call = json!({"call": "explain", "env": env, "down": [], "tenants": tenants});
        asked.push((call, said.trim_end().to_owned()));
    }
    compare(asked);
}

/// Journals that end well, badly and in the middle.
fn journals() -> Vec<(&'static str, Vec<u8>)> {
    let mut journal = Journal::default();
    let steps = [
        ("provision_green", "app:v2"),
        ("start_canary", "10"),
        ("pause", "lunch \u{1f35c}"),
        ("resume", ""),
        ("increase_weight", "50"),
        ("promote_green", ""),
        ("provision_green", "app:\u{fc}"),
        ("start_canary", "0"),
        ("rollback_to_blue", "it \"failed\"\n"),
    ];
    let mut all = vec![("empty", Vec::new())];
    for (number, (command, argument)) in steps.into_iter().enumerate() {
        journal.give(command, argument);
        if number != 3 {
            all.push((command, journal.lines.clone().into_bytes()));
        }
    }
    let whole = journal.lines.into_bytes();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    all.push(("torn", with(&|bytes| bytes.truncate(bytes.len() - 40))));
    all.push((
        "torn to no UTF-8",
        with(&|bytes| bytes.extend_from_slice(b"{\"\xff\xfe")),
    ));
    all.push(("a letter changed", with(&|bytes| bytes[300] ^= 1)));
    all.push((
        "the last line changed",
        with(&|bytes| {
            let at = bytes.len() - 100;
            bytes[at] ^= 1;
        }),
    ));
    all.push((
        "a line twice",
        with(&|bytes| {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            let first = bytes[..=end].to_vec();
            bytes.extend(first);
        }),
    ));
    all.push(("no journal", b"hello\nworld\n".to_vec()));
    // What verifies and is no record: its words come from the reader of records.
    for inside in [
        r#"{"timestamp":"x"}"#,
        r#"{"timestamp":"2026-01-01T00:00:00.000Z","action":"dance"}"#,
        r#"{"timestamp":"2026-01-01T00:00:00.000Z","action":"resume","action":"resume"}"#,
        r#"{"timestamp":"2026-01-01T00:00:00.000Z","action":"start_canary","weight":101}"#,
        r#"{"timestamp":"2026-01-01T00:00:00.000Z","action":"start_canary","weight":1e2}"#,
        r#"["#,
    ] {
        all.push((inside, sealed(inside).into_bytes()));
    }
    all
}

/// A line that carries the hash of its bytes.
fn sealed(json: &str) -> String {
    use sha2::{Digest, Sha256};
    let body = &json[..json.len() - 1];
    let hash = Sha256::digest(body.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{body},\"hash\":\"{hash}\"}}\n")
}

fn hex(bytes: &[u8]) -> Value {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.into()
}

#[test]
fn a_journal_is_verified_and_replayed_as_by_the_command_line() {
    let mut asked = Vec::new();
    for (name, bytes) in journals() {
        let store = Store::new();
        std::fs::create_dir_all(store.logs()).unwrap();
        std::fs::write(store.log(), &bytes).unwrap();
        let journal = hex(&bytes);
        let first = format!("1:{}", "0".repeat(64));
        for head in [None, Some(first.as_str())] {
            let mut arguments = vec!["audit", "verify", "-o", "json"];
            arguments.extend(head.iter().flat_map(|head| ["--expect-head", head]));
            let said = store.run(&arguments).stdout;
            assert!(said.starts_with("{\"valid\":"), "{name}: {said}");
            let call = json!({"call": "verify", "journal": journal, "head": head});
            asked.push((call, said.trim_end().to_owned()));
        }
        for (call, arguments) in [
            ("status", &["status", "-o", "json"][..]),
            ("tail", &["audit", "tail", "-n", "999", "-o", "json"]),
        ] {
            let ran = store.run(arguments);
            // A journal that does not verify has no state: the command line says why and nothing else.
            if ran.code == 0 {
                let call = json!({"call": call, "journal": journal});
                asked.push((call, ran.stdout.trim_end().to_owned()));
            } else {
                let problem: Value = serde_json::from_str(&ran.stderr).unwrap();
                let call = json!({"call": "error", "journal": journal});
                let detail = problem["detail"].as_str().unwrap_or_default();
                let Some(said) = page(&[call]) else { return };
                assert!(detail.contains(&said[0]), "{name}: {said:?} in {detail}");
            }
        }
    }
    compare(asked);
}

#[test]
fn a_journal_that_nobody_has_any_longer_takes_no_memory() {
    let journals = journals();
    let (_, journal) = journals
        .iter()
        .find(|(name, _)| *name == "rollback_to_blue")
        .unwrap();
    let status = json!({"call": "status", "journal": hex(journal)});
    let keep = json!({"call": "keep", "journal": hex(journal), "times": 10_000});
    let Some(said) = page(&[status, keep]) else {
        return;
    };
    let (grown, kept) = said[1]
        .trim_start_matches('[')
        .trim_end_matches(']')
        .split_once(",\n")
        .unwrap();
    assert_eq!(kept, said[0]);
    let grown: i64 = grown.parse().unwrap();
    assert!(
        grown < 8,
        "{grown} MiB, of a journal of {} bytes",
        journal.len()
    );
}

#[test]
fn refusals_are_the_words_of_the_command_line() {
    for (name, bytes) in journals() {
        let store = Store::new();
        std::fs::create_dir_all(store.logs()).unwrap();
        std::fs::write(store.log(), &bytes).unwrap();
        for (command, arguments) in [
            ("promote_green", &["promote", "-o", "json"][..]),
            ("pause", &["pause", "-o", "json"]),
            ("resume", &["resume", "-o", "json"]),
        ] {
            let call = json!({"call": "offers", "journal": hex(&bytes), "role": "Deployer"});
            let Some(said) = page(&[call]) else { return };
            let offers: Value = serde_json::from_str(&said[0]).unwrap();
            let offers = offers.as_array().unwrap();
            let offer = offers.iter().find(|offer| offer["command"] == command);
            let Some(refusal) = offer.unwrap()["refusal"].as_str() else {
                continue;
            };
            let before = store.bytes();
            let ran = store.run(arguments);
            if ran.code == 5 {
                assert!(
                    ran.stderr.contains(refusal),
                    "{name}: {refusal} in {}",
                    ran.stderr
                );
                assert_eq!(store.bytes(), before);
            }
        }
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_with_a_code_of_its_own() {
    let Some(said) = page(&[json!({"call": "refusals", "journal": hex(b"")})]) else {
        return;
    };
    let said: Vec<&str> = said[0].trim_matches(['[', ']']).split(",\n").collect();
    assert_eq!(
        said,
        [
            "bad_journal: this is no text but undefined",
            "bad_journal: this is no text but null",
            "bad_head: this is no text but number",
            "bad_head: \"1\" is no head",
            "bad_command: this is no text but undefined",
            "bad_command: \"deploy\" is no command",
            "bad_tenant: this is no text but number",
        ]
    );
}

#[test]
fn a_forecast_is_what_the_machine_does() {
    use halcyon_core::ledger::Ledger;
    use halcyon_core::release::{Command, Context};
    let actor = |role: &str| halcyon_core::role::Actor {
        user: String::new(),
        role: role.into(),
    };
    let mut asked = Vec::new();
    for (_, bytes) in journals() {
        let mut ledger = Ledger::default();
        let _ = ledger.read(&bytes, |_, _, _| {});
        for (role, kill_switch) in [("Deployer", false), ("Admin", true), ("Viewer", false)] {
            let actor = actor(role);
            for (command, argument) in [
                ("provision_green", "app:v9"),
                ("provision_green", ""),
                ("start_canary", "25"),
                ("increase_weight", "20"),
                ("increase_weight", "101"),
                ("promote_green", ""),
                ("rollback_to_blue", "why"),
                ("pause", "x"),
                ("resume", ""),
            ] {
                let context = Context {
                    actor: &actor,
                    kill_switch,
                    new_release_id: "next",
                };
                let wish = Command::of_person(command, argument).unwrap();
                let forecast = ledger.release().forecast(&wish, &context, Timestamp(7));
                let call = json!({"call": "forecast", "journal": hex(&bytes), "role": role,
                    "killSwitch": kill_switch, "command": command, "argument": argument, "at": 7});
                asked.push((call, json(&forecast)));
            }
            let context = Context {
                actor: &actor,
                kill_switch,
                new_release_id: "",
            };
            let call = json!({"call": "offers", "journal": hex(&bytes), "role": role, "killSwitch": kill_switch});
            asked.push((call, json(&ledger.release().offers(&context))));
        }
    }
    compare(asked);
}

#[test]
fn moves_are_those_the_core_counts() {
    let store = canary();
    let rules = store.dir().join("rules.json");
    std::fs::write(&rules, RULES).unwrap();
    let tables: Vec<String> = configurations(rules.to_str().unwrap())
        .iter()
        .map(|variables| store.run_with(&["table"], variables).exits(0).stdout)
        .collect();
    let mut asked = Vec::new();
    for (number, from) in tables.iter().enumerate() {
        let to = tables[(number + 4) % tables.len()].replacen("\"up\"", "\"down\"", 1);
        let read = |text: &str| Table::from_json(text).unwrap();
        // The release of both has its share as long as this test runs.
        let now = read(from).valid_until().min(read(&to).valid_until());
        let now = now.unwrap();
        let moves = Moves::between(&read(from), &read(&to), Timestamp(now.0 - 1));
        let call = json!({"call": "simulate", "from": from, "to": to});
        asked.push((call, json(&moves)));
    }
    compare(asked);
}

/// Bytes after gzip -9.
pub(crate) fn packed(bytes: &[u8]) -> usize {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip
        .arg("-9nc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output.stdout.len()
}

#[test]
fn what_a_browser_loads_of_the_package_is_small() {
    let loaded = [
        "browser.js",
        "edge.js",
        "halcyon_bg.js",
        "halcyon_bg.wasm",
        "names.js",
        "page.js",
        "value.js",
    ];
    let files = package().iter().filter(|(name, _)| loaded.contains(name));
    let sizes: Vec<(&str, usize)> = files.map(|(name, bytes)| (*name, packed(bytes))).collect();
    assert_eq!(sizes.len(), loaded.len());
    let all: usize = sizes.iter().map(|(_, size)| size).sum();
    println!("{all} bytes after gzip -9: {sizes:?}");
    assert!(all <= MOST, "{all} bytes after gzip -9: {sizes:?}");
}

/// What the package may take at most: 90 KiB.
const MOST: usize = 92_160;
