//! `route`, with tenants from anywhere.

use std::io::{Read, Write};
use std::process::Stdio;

use halcyon_tests::store::{Ran, Running, Store, text};
use serde_json::Value;

use crate::{REGIONS, run};

/// Routes what stdin says.
fn piped(store: &Store, arguments: &[&str], input: &[u8]) -> Ran {
    let path = store.dir().join("input");
    std::fs::write(&path, input).unwrap();
    let mut command = store.command(&[&["route", "-"], arguments].concat(), &REGIONS);
    Running::spawn(command.stdin(std::fs::File::open(path).unwrap())).ended()
}

#[test]
fn tenants_go_where_the_published_vectors_say() {
    let store = Store::new();
    let ran = run(
        &store,
        &[
            "route",
            "tenant123",
            "tenant1",
            "tenant2",
            "acme",
            "-o",
            "jsonl",
        ],
    )
    .exits(0);
    let regions: Vec<_> = ran
        .json_lines()
        .iter()
        .map(|answer| text(answer, "region"))
        .collect();
    assert_eq!(regions, ["us-west", "eu-west", "us-west", "us-east"]);
    let answer = &ran.json_lines()[0];
    assert_eq!(
        *answer,
        serde_json::json!({"tenant":"tenant123","region":"us-west","preferred":"us-west","slot":"blue","reason":"hash"})
    );
    let human = run(&store, &["route", "tenant123", "acme"]).exits(0).stdout;
    let first: Vec<_> = human
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(first, ["us-west", "us-east"]);
    assert!(!store.logs().exists(), "route creates nothing");
}

#[test]
fn a_region_that_is_down_is_passed_over() {
    let store = Store::new();
    let all = [
        "--down", "us-east", "--down", "us-west", "--down", "eu-west",
    ];
    for (down, region, reason) in [
        (&all[..0], "us-east", "hash"),
        (&all[..2], "us-west", "failover"),
        (&all[..4], "eu-west", "failover"),
        (&all, "us-east", "all_down"),
    ] {
        let answer = run(&store, &[&["route", "acme", "-o", "jsonl"], down].concat())
            .exits(0)
            .json();
        assert_eq!(
            (text(&answer, "region"), text(&answer, "reason")),
            (region.into(), reason.into())
        );
        assert_eq!(text(&answer, "preferred"), "us-east");
    }
    let explained = run(
        &store,
        &[
            "route",
            "acme",
            "--explain",
            "--down",
            "us-east",
            "-o",
            "jsonl",
        ],
    )
    .exits(0)
    .json();
    assert!(
        explained["steps"].as_array().unwrap().len() > 1,
        "{explained}"
    );
}

#[test]
fn lines_end_in_lf_or_crlf_and_empty_ones_are_skipped() {
    let store = Store::new();
    let ran = piped(
        &store,
        &["-o", "jsonl"],
        b"acme\r\n\n\r\ntenant1\n \n\r\r\ntenant2",
    )
    .exits(0);
    let tenants: Vec<_> = ran
        .json_lines()
        .iter()
        .map(|answer| text(answer, "tenant"))
        .collect();
    assert_eq!(
        tenants,
        ["acme", "tenant1", " ", "\r", "tenant2"],
        "only one CR is dropped, and only empty lines are skipped"
    );
    assert_eq!(piped(&store, &["-o", "jsonl"], b"").exits(0).stdout, "");
    assert_eq!(
        piped(&store, &["-o", "json"], b"\n\n").exits(0).json(),
        serde_json::json!([])
    );
}

#[test]
fn a_line_that_is_no_tenant_id_is_answered_with_an_error_and_the_rest_goes_on() {
    let store = Store::new();
    let longest = "x".repeat(16_384);
    let input = [
        b"acme\n\xff\xfe\n".to_vec(),
        format!(
            "{longest}\n{longest}y\n{longest}\r\n{longest}y\r\n{}\ntenant1\n",
            "z".repeat(5_000_000)
        )
        .into_bytes(),
    ]
    .concat();
    let ran = piped(&store, &["-o", "jsonl"], &input).exits(1);
    let answers = ran.json_lines();
    let placed: Vec<_> = answers
        .iter()
        .map(|answer| !answer["region"].is_null())
        .collect();
    assert_eq!(placed, [true, false, true, false, true, false, false, true]);
    for answer in answers.iter().filter(|answer| answer["region"].is_null()) {
        let error = text(answer, "error");
        assert!(error.contains("16384") && error.len() < 300, "{error}");
    }
    assert!(text(&answers[1], "error").contains("UTF-8"));
    assert_eq!(text(&answers[7], "tenant"), "tenant1");
    assert!(ran.stdout.len() < 150_000, "{}", ran.stdout.len());
    let human = piped(&store, &[], &input).exits(1).stdout;
    assert_eq!(human.lines().count(), 8);
    assert!(human.len() < 5000, "{}", human.len());
}

#[test]
fn a_tenant_id_of_any_bytes_is_one_line_in_every_format() {
    let store = Store::new();
    for tenant in [
        "\u{1b}[2J",
        "a\u{2028}b",
        "\u{202e}x",
        "\u{0}",
        "\"},{",
        "<script>",
        "\u{9b}m",
        "-",
        "--x",
        "\u{1f426}",
    ] {
        for format in ["human", "json", "jsonl"] {
            let ran = piped(&store, &["-o", format], format!("{tenant}\n").as_bytes()).exits(0);
            assert_eq!(ran.stdout.lines().count(), 1, "{:?}", ran.stdout);
            let harmful =
                |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}'..='\u{202e}');
            assert!(!ran.stdout.contains(harmful), "{:?}", ran.stdout);
            if format == "jsonl" {
                assert_eq!(text(&ran.json(), "tenant"), tenant);
            }
        }
    }
}

#[test]
fn a_million_tenants_take_no_more_memory_than_one() {
    let store = Store::new();
    std::fs::write(store.dir().join("rules.json"), r#"{"pins":[]}"#).unwrap();
    let env = [
        REGIONS[0],
        ("TENANT_STICKY", "rendezvous"),
        ("TENANT_RULES_FILE", "rules.json"),
    ];
    let mut child = store
        .command(&["route", "-", "-o", "jsonl"], &env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let writer = std::thread::spawn(move || {
        let mut input = std::io::BufWriter::new(&mut stdin);
        (0..1_000_000).for_each(|number| writeln!(input, "tenant{number}").unwrap());
        input.flush().unwrap();
        drop(input);
        stdin
    });
    let (mut block, mut answers) = (vec![0; 1 << 16], 0);
    while answers < 1_000_000 {
        let n = stdout.read(&mut block).unwrap();
        assert!(n > 0, "it ended after {answers} answers");
        answers += block[..n].iter().filter(|byte| **byte == b'\n').count();
    }
    // It still lives, because its input is still open.
    let stdin = writer.join().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 40 * 1024, "{peak} kB");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_computed_ahead_for_many_tenants_changes_no_answer() {
    let store = Store::new();
    let input: String = (0..80_000)
        .map(|number| format!("tenant{number}\n"))
        .collect();
    std::fs::write(store.dir().join("input"), [&*input, &*input].concat()).unwrap();
    let env = [REGIONS[0], ("TENANT_STICKY", "rendezvous")];
    let mut command = store.command(&["route", "-", "-o", "jsonl"], &env);
    let input = std::fs::File::open(store.dir().join("input")).unwrap();
    let answers = Running::spawn(command.stdin(input)).ended().exits(0).stdout;
    let (first, second) = answers.split_at(answers.len() / 2);
    assert!(
        first == second,
        "an answer depends on how many came before it"
    );
    for region in ["us-east", "us-west", "eu-west"] {
        let share = first.matches(&format!("\"region\":\"{region}\"")).count();
        assert!((24_000..30_000).contains(&share), "{region}: {share}");
    }
}

#[test]
fn several_problems_of_an_explanation_are_told_at_once() {
    let store = Store::new();
    let many: Vec<String> = (0..10).map(|place| format!("r{place}")).collect();
    let list = many.join(",");
    store
        .run_with(
            &["route", "acme", "--down", "mars"],
            &[("REGIONS", &list), ("TENANT_STICKY", "primary")],
        )
        .exits(2)
        .says("PRIMARY_REGION: unset; allowed: one of REGIONS")
        .says("--down: \"mars\" is not in REGIONS; allowed: r0, r1, r2, r3, r4, r5, r6, r7 and 2 more");
    let ran = store
        .run_with(&["route", "acme", "--down", "mars"], &[("REGIONS", "a b")])
        .exits(2);
    assert!(!ran.stderr.contains("--down"), "{}", ran.stderr);
    let ran = store
        .run_with(
            &[
                "route", "acme", "--down", "mars", "--down", "venus", "-o", "json",
            ],
            &REGIONS,
        )
        .exits(2);
    let problem: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(problem["problems"].as_array().unwrap().len(), 2);
    assert!(
        ran.stderr.contains("us-east, us-west, eu-west"),
        "{}",
        ran.stderr
    );
}
