//! A release that goes well.

use std::time::Duration;

use halcyon_tests::process::Serving;
use halcyon_tests::region::Region;
use halcyon_tests::store::{Store, text};

use crate::{WHOLE, release};

#[test]
fn a_release_goes_through_its_steps_and_ends_green_live() {
    let (store, east, west) = (Store::new(), Region::ready(), Region::ready());
    let ran = store
        .run(&release(
            &[&east, &west],
            "10,50,100",
            &["--timeout-s", "0"],
        ))
        .exits(0);
    assert_eq!(store.actions(), WHOLE);
    let records = store.records();
    let weights: Vec<_> = records
        .iter()
        .map(|record| record["canary_weight"].as_i64().unwrap())
        .collect();
    assert_eq!(weights, [0, 10, 10, 50, 50, 100, 100, 100]);
    let last = &records[7];
    assert_eq!(
        (text(last, "state"), text(last, "blue_image")),
        ("green_live".into(), "app:2".into())
    );
    let status = store.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(text(&status, "former_blue"), "app:1");
    let status = store.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("back to   app:1  (halcyon rollback)\n"),
        "{status}"
    );
    let ended = text(last, "timestamp");
    let promoted = format!("outcome   promoted at {ended}\n");
    assert!(status.contains(&promoted), "{status}");
    assert_eq!(
        (text(last, "user"), text(last, "deploy_role")),
        ("ann".into(), "Deployer".into())
    );
    assert_eq!(
        ran.stdout.as_bytes(),
        store.bytes(),
        "stdout is the journal's lines and nothing else"
    );
    // A smoke test before and a probe round within each of three steps.
    for region in [&east, &west] {
        let asked = region.asked();
        assert_eq!(asked.len(), 6);
        assert!(
            asked
                .iter()
                .all(|asked| asked.line.starts_with("GET /ready")),
            "{asked:?}"
        );
    }
}

#[test]
fn a_real_health_server_is_a_region() {
    let store = Store::new();
    let serving = Serving::start(&[("CURRENT_REGION", "us-east"), ("DRAIN_MS", "0")]);
    let endpoint = format!("us-east=http://{}", serving.address());
    let arguments = [
        "release",
        "--image-blue",
        "app:1",
        "--image-green",
        "app:2",
        "--canary-seq",
        "100",
        "--region",
        "us-east",
        "--timeout-s",
        "0",
    ];
    store
        .run_with(&arguments, &[("REGION_ENDPOINTS", &endpoint)])
        .exits(0);
    // The same server under another region's name confirms nothing.
    let other = format!("us-west=http://{}", serving.address());
    let mut wrong = arguments
        .map(|argument| {
            if argument == "us-east" {
                "us-west"
            } else {
                argument
            }
        })
        .to_vec();
    wrong.push("--abort-on-err");
    store
        .run_with(&wrong, &[("REGION_ENDPOINTS", &other)])
        .exits(3)
        .says("us-east");
}

#[test]
fn each_step_bakes_its_time() {
    let (store, region) = (Store::new(), Region::ready());
    store
        .run(&release(&[&region], "50,100", &["--timeout-s", "1"]))
        .exits(0);
    let passed: Vec<_> = store
        .records()
        .into_iter()
        .filter(|record| record["action"] == "step_passed")
        .collect();
    assert_eq!(passed.len(), 2);
    for record in &passed {
        let baked = record["baked_ms"].as_u64().unwrap();
        assert!((1000..3000).contains(&baked), "{record}");
        assert!(record["rounds"].as_u64().unwrap() >= 5, "{record}");
    }
    let asked = region.asked();
    let lasted = asked[asked.len() - 1].at - asked[0].at;
    assert!(lasted >= Duration::from_secs(2), "{lasted:?}");
}

#[test]
fn equal_images_are_legal_and_each_release_draws_a_new_id() {
    let (store, region) = (Store::new(), Region::ready());
    let same = |blue: &[&str]| {
        let more = [
            "--image-green",
            "app:1",
            "--canary-seq",
            "100",
            "--timeout-s",
            "0",
            "--region",
        ];
        [&["release"], &more[..], &[&region.at()], blue]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    store.run(&same(&["--image-blue", "app:1"])).exits(0);
    store.run(&same(&[])).exits(0);
    let ids: std::collections::BTreeSet<_> = store
        .records()
        .iter()
        .map(|record| text(record, "release_id"))
        .collect();
    assert_eq!(ids.len(), 2);
    store.run(&["rollback", "--reason", "seed"]).exits(0);
    let last = store.records().pop().unwrap();
    assert_eq!(
        (text(&last, "state"), text(&last, "blue_image")),
        ("idle".into(), "app:1".into())
    );
}

#[test]
fn the_journal_knows_better_than_image_blue() {
    let (store, region) = (Store::new(), Region::ready());
    let whole = release(&[&region], "100", &["--timeout-s", "0"]);
    store.run(&whole).exits(0);
    let ran = store
        .run(&whole)
        .exits(0)
        .says("--image-blue")
        .says("app:1")
        .says("app:2");
    assert!(ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(
        text(&store.records()[4], "blue_image"),
        "app:2",
        "what is live became blue"
    );
}

#[test]
fn the_first_release_needs_image_blue() {
    let (store, region) = (Store::new(), Region::ready());
    let arguments: Vec<_> = release(&[&region], "100", &[])
        .into_iter()
        .filter(|argument| !["--image-blue", "app:1"].contains(&&**argument))
        .collect();
    store.run(&arguments).exits(2).says("--image-blue");
    assert!(!store.logs().exists());
}

#[test]
fn what_a_command_prints_is_what_its_format_says() {
    let (store, region) = (Store::new(), Region::ready());
    let with = |format| release(&[&region], "100", &["--timeout-s", "0", "-o", format]);
    let ran = store.run(&with("jsonl")).exits(0);
    assert_eq!(ran.stdout.as_bytes(), store.bytes());
    let before = store.lines().len();
    let ran = store.run(&with("json")).exits(0);
    let answer = ran.json();
    assert_eq!(
        (text(&answer, "outcome"), text(&answer, "state")),
        ("promoted".into(), "green_live".into())
    );
    assert_eq!(ran.stdout.lines().count(), 1, "one document and no records");
    let last = store.records().pop().unwrap();
    assert_eq!(
        text(&answer, "audit_head"),
        format!("{}:{}", last["seq"], text(&last, "hash"))
    );
    assert!(store.lines().len() > before);
    store
        .run(&[
            "audit",
            "verify",
            "--expect-head",
            &text(&answer, "audit_head"),
        ])
        .exits(0);
}
