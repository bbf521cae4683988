//! `release --dry-run`: everything but doing it.

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::Store;

use crate::release;

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let (store, east, west) = (Store::new(), Region::ready(), Region::ready());
    let dry = |more: &[&str]| release(&[&east, &west], "10,100", &[&["--dry-run"], more].concat());
    let ran = store.run(&dry(&["--on-step", "touch hooked"])).exits(0);
    for said in [
        &*east.at(),
        &west.at(),
        "10 %",
        "100 %",
        "app:1",
        "app:2",
        "promote",
        "nothing was written",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert_eq!(
        (east.asked().len(), west.asked().len()),
        (1, 1),
        "every region once"
    );
    let answer = store.run(&dry(&["-o", "json"])).exits(0).json();
    assert_eq!(
        (&answer["ok"], answer["regions"].as_array().unwrap().len()),
        (&true.into(), 2)
    );
    assert_eq!(
        std::fs::read_dir(store.dir()).unwrap().count(),
        0,
        "not even the directory is made"
    );
}

#[test]
fn a_dry_run_fails_when_a_region_is_not_ready() {
    let (store, east, west) = (
        Store::new(),
        Region::ready(),
        Region::answering(Answer::NotReady("disk")),
    );
    let arguments = release(&[&east, &west], "100", &["--dry-run", "-o", "jsonl"]);
    let answer = store.run(&arguments).exits(1).json();
    assert_eq!(
        (
            &answer["regions"][0]["ready"],
            &answer["regions"][1]["ready"]
        ),
        (&true.into(), &false.into())
    );
    assert!(
        answer["regions"][1]["error"]
            .as_str()
            .unwrap()
            .contains("disk"),
        "{answer}"
    );
    assert!(!store.logs().exists());
}

#[test]
fn a_dry_run_needs_the_role_and_records_no_refusal() {
    let (store, region) = (Store::new(), Region::ready());
    let arguments = release(&[&region], "100", &["--dry-run"]);
    store
        .run_with(&arguments, &[("DEPLOY_RBAC_ROLE", "Viewer")])
        .exits(4);
    assert!(!store.logs().exists());
    assert_eq!(region.asked().len(), 0);
}

#[test]
fn a_dry_run_asks_no_metadata_service_whatever_is_typed() {
    let (store, region) = (Store::new(), Region::ready());
    let more = ["--dry-run", "-o", "json", "--region", "0xa9fea9fe"];
    let answer = store
        .run(&release(&[&region], "100", &more))
        .exits(1)
        .json();
    assert_eq!(
        answer["regions"][1]["error"],
        r#""0xa9fea9fe" has 169.254.169.254, the address of a metadata service, which is never asked"#
    );
}
