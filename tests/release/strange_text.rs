//! Text from outside: one line of ASCII each in the journal, nothing executed on a terminal.

use halcyon_tests::region::Region;
use halcyon_tests::store::{Store, text};

use crate::release;

const STRANGE: [&str; 8] = [
    "two\nlines\r\n",
    "\u{2028}separated\u{2029}\u{85}",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
    "\u{202e}desrever\u{2066}\u{200b}\u{feff}",
    "quote\" back\\slash \u{7f}\t\u{8}",
    "\u{1f426} z\u{308}\u{10ffff}",
    "<script>alert(1)</script>",
    "\",\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
];

/// A control, a bidi mark or another invisible character, which a terminal would act on.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
}

fn assert_one_ascii_line_a_record(store: &Store, records: usize) {
    let bytes = store.bytes();
    assert!(
        bytes
            .iter()
            .all(|byte| *byte == b'\n' || (0x20..0x7f).contains(byte))
    );
    assert_eq!(store.lines().len(), records);
    store.run(&["audit", "verify"]).exits(0);
    for command in [
        &["status"][..],
        &["audit", "tail", "-n", "1000"],
        &["audit", "verify"],
        &["status", "-o", "json"],
        &["audit", "tail", "-o", "json"],
        &["audit", "tail", "-o", "jsonl"],
    ] {
        let ran = store.run(command).exits(0);
        for output in [&ran.stdout, &ran.stderr] {
            assert!(!output.contains(is_harmful), "{command:?}: {output:?}");
        }
        assert!(ran.stdout.len() < 2_000_000);
    }
}

#[test]
fn reasons_and_users_are_recorded_as_they_are_in_one_ascii_line() {
    let long = "x".repeat(100_000);
    for strange in STRANGE.into_iter().chain([&*long]) {
        let store = Store::new();
        for command in ["rollback", "rollback"] {
            let ran = store
                .run_with(&[command, "--reason", strange], &[("DEPLOY_USER", strange)])
                .exits(0);
            assert!(
                !ran.stderr.contains(is_harmful) && !ran.stdout.contains(is_harmful),
                "{}",
                ran.stderr
            );
        }
        for record in store.records() {
            assert_eq!(
                (text(&record, "reason"), text(&record, "user")),
                (strange.into(), strange.into())
            );
        }
        assert_one_ascii_line_a_record(&store, 2);
    }
}

#[test]
fn the_reason_of_a_rollback_is_one_harmless_line_for_whoever_watches() {
    for strange in STRANGE {
        let (store, region) = (Store::new(), Region::ready());
        let driver = crate::baking(&store, &region, &[]);
        store.run(&["rollback", "--reason", strange]).exits(0);
        let watched = driver.ended().exits(3);
        let looked = store.run(&["release", "--resume"]).exits(3);
        for ran in [&watched, &looked] {
            let errors = ran
                .stderr
                .lines()
                .filter(|line| line.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{}", ran.stderr);
            assert!(
                ran.stderr.contains("error: rolled back: "),
                "{}",
                ran.stderr
            );
            assert!(!ran.stderr.contains(is_harmful), "{:?}", ran.stderr);
        }
        assert_eq!(looked.stderr.lines().count(), 3, "{:?}", looked.stderr);
    }
}

#[test]
fn image_tags_are_recorded_as_they_are_in_one_ascii_line() {
    let region = Region::ready();
    let long = "x".repeat(65_536);
    for strange in STRANGE.into_iter().chain([&*long]) {
        let store = Store::new();
        let arguments = [
            "release",
            "--image-blue",
            strange,
            "--image-green",
            strange,
            "--canary-seq",
            "100",
            "--timeout-s",
            "0",
            "--region",
            &region.at(),
            "--on-step",
            "printf %s \"$HALCYON_IMAGE\" > image",
        ];
        let ran = store.run(&arguments).exits(0);
        assert!(!ran.stderr.contains(is_harmful), "{}", ran.stderr);
        assert_eq!(ran.stdout.as_bytes(), store.bytes());
        assert_eq!(text(&store.records()[0], "image_tag"), strange);
        assert_eq!(
            std::fs::read_to_string(store.dir().join("image")).unwrap(),
            strange
        );
        let records = store.lines().len();
        assert_one_ascii_line_a_record(&store, records);
        assert!(
            !store
                .run(&release(&[&region], "100", &["--dry-run"]))
                .exits(0)
                .stdout
                .contains(is_harmful)
        );
    }
}

#[test]
fn an_image_of_more_than_64_kib_or_none_is_refused_and_not_echoed() {
    let (store, region) = (Store::new(), Region::ready());
    for image in ["x".repeat(65_537), "y".repeat(100_000), String::new()] {
        for more in [&[][..], &["--dry-run"]] {
            let arguments = [
                "release",
                "--image-blue",
                "a",
                "--image-green",
                &image,
                "--canary-seq",
                "1",
                "--region",
                &region.at(),
            ];
            let ran = store
                .run(&[&arguments[..], more].concat())
                .exits(2)
                .says("65536");
            assert!(ran.stderr.len() < 500, "{}", ran.stderr.len());
        }
    }
    assert!(!store.logs().exists() || store.lines().is_empty());
}

#[test]
fn a_refusal_does_not_repeat_what_a_terminal_would_execute() {
    for strange in STRANGE {
        let (store, region) = (Store::new(), Region::ready());
        let env = [("DEPLOY_RBAC_ROLE", strange), ("DEPLOY_USER", strange)];
        let ran = store
            .run_with(&release(&[&region], "100", &[]), &env)
            .exits(4);
        assert!(!ran.stderr.contains(is_harmful), "{:?}", ran.stderr);
        assert_eq!(text(&store.records()[0], "deploy_role"), strange);
        assert_one_ascii_line_a_record(&store, 1);
    }
}

#[test]
fn names_of_hosts_and_regions_are_not_repeated_raw() {
    let store = Store::new();
    for strange in STRANGE {
        let arguments = [
            "release",
            "--image-blue",
            "a",
            "--image-green",
            "b",
            "--canary-seq",
            "100",
            "--region",
            strange,
        ];
        let ran = store.run(&arguments).exits(2).says("--region");
        assert!(!ran.stderr.contains(is_harmful), "{:?}", ran.stderr);
    }
    let with_secret = [
        "release",
        "--image-blue",
        "a",
        "--image-green",
        "b",
        "--canary-seq",
        "100",
        "--region",
        "http://joe:s3cret@host",
    ];
    let ran = store.run(&with_secret).exits(2);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
}
