//! `--canary-seq`: one error that names the flag, the item and the rule.

use halcyon_tests::region::Region;
use halcyon_tests::store::Store;

#[test]
fn a_bad_sequence_is_one_error_that_names_flag_item_and_rule() {
    let store = Store::new();
    let long = "9".repeat(100_000);
    for (seq, item) in [
        ("-5", "\"-5\""),
        ("5,5", "\"5\""),
        ("", "\"\""),
        ("1e2", "\"1e2\""),
        ("+5", "\"+5\""),
        ("50%", "\"50%\""),
        ("101", "\"101\""),
        ("10,5", "\"5\""),
        ("1,,2", "\"\""),
        (",", "\"\""),
        ("5,", "\"\""),
        ("10 20", "\"10 20\""),
        ("0x10", "\"0x10\""),
        ("NaN", "\"NaN\""),
        ("inf", "\"inf\""),
        ("1.5", "\"1.5\""),
        ("1e400", "\"1e400\""),
        ("99999999999999999999", "\"99999999999999999999\""),
        ("0010", "\"0010\""),
        ("\u{661}\u{660}", "\\u{661}"),
        ("5\n", "\"5\\n\""),
        ("--abort-on-err", "\"--abort-on-err\""),
        (&long, "99999..."),
    ] {
        for joined in [false, true] {
            let flag = if joined {
                vec![format!("--canary-seq={seq}")]
            } else {
                vec!["--canary-seq".into(), seq.into()]
            };
            let mut arguments: Vec<String> = [
                "release",
                "--image-blue",
                "a",
                "--image-green",
                "b",
                "--region",
                "h",
                "-o",
                "json",
            ]
            .map(str::to_owned)
            .to_vec();
            arguments.extend(flag);
            let ran = store.run(&arguments).exits(2);
            let problem: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
            let problems = problem["problems"].as_array().unwrap();
            assert_eq!(problems.len(), 1, "{seq}: {problem}");
            let said = problems[0].as_str().unwrap();
            assert!(
                said.starts_with("--canary-seq: item ") && said.contains(item),
                "{seq}: {said}"
            );
            assert!(
                said.contains("strictly rising") && said.contains("0 to 100"),
                "{said}"
            );
            assert!(said.len() < 300, "{said}");
        }
    }
    assert!(!store.logs().exists());
}

#[test]
fn a_good_sequence_need_not_end_at_100_nor_begin_above_0() {
    let region = Region::ready();
    for (seq, weights) in [
        ("0", &[0][..]),
        ("100", &[100]),
        ("0,100", &[0, 100]),
        (" 2 ,\t10 ", &[2, 10]),
        ("1,2,3,4,5", &[1, 2, 3, 4, 5]),
    ] {
        let store = Store::new();
        let arguments = [
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--timeout-s",
            "0",
            "--canary-seq",
            seq,
        ];
        store
            .run(&[&arguments[..], &["--region", &region.at()]].concat())
            .exits(0);
        let passed = store
            .records()
            .into_iter()
            .filter(|record| record["action"] == "step_passed");
        assert_eq!(
            passed
                .map(|record| record["weight"].as_i64().unwrap())
                .collect::<Vec<_>>(),
            weights
        );
        assert_eq!(
            store.records().pop().unwrap()["canary_weight"],
            100,
            "promotion follows the last step"
        );
    }
}

#[test]
fn every_problem_of_a_release_is_reported_at_once() {
    let store = Store::new();
    let arguments = [
        "release",
        "--image-blue",
        "",
        "--image-green",
        "",
        "--canary-seq",
        "5,4",
        "--region",
        "a b",
        "--region",
        "http://u:s3cret@h",
        "--timeout-s",
        "-1",
        "--deadline",
        "0s",
        "--health-port",
        "70000",
        "-o",
        "json",
    ];
    let ran = store
        .run_with(
            &arguments,
            &[("PROBE_TIMEOUT_MS", "0"), ("HALCYON_TOPOLOGY", "gone.toml")],
        )
        .exits(2);
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let said = problem["problems"].to_string();
    for name in [
        "--image-blue",
        "--image-green",
        "--canary-seq",
        "--region",
        "--timeout-s",
        "--deadline",
        "HEALTH_PORT",
        "PROBE_TIMEOUT_MS",
        "HALCYON_TOPOLOGY",
    ] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn durations_that_are_none_are_refused() {
    let store = Store::new();
    let with = |more: &[&str]| {
        let arguments = [
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "1",
            "--region",
            "h",
        ];
        store.run(&[&arguments[..], more].concat())
    };
    for seconds in [
        "-1",
        "",
        "1.5",
        "60s",
        "1e3",
        "+60",
        " 60",
        "99999999999999999999",
        "604801",
    ] {
        with(&["--timeout-s", seconds]).exits(2).says("--timeout-s");
    }
    for deadline in [
        "0s",
        "-1s",
        "",
        "30",
        "forever",
        "1e9h",
        "721h",
        "31d",
        "1.5d",
        "99999999999999999999h",
        "\u{1b}[2J",
    ] {
        let ran = with(&["--deadline", deadline]).exits(2).says("--deadline");
        assert!(!ran.stderr.contains('\u{1b}'));
    }
}
