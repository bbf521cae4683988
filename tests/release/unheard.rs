//! Nobody reads what the program says.

use std::fs::File;
use std::process::Stdio;

use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::Store;

use crate::release;

fn full() -> Stdio {
    Stdio::from(File::options().write(true).open("/dev/full").unwrap())
}

#[test]
fn a_release_ends_as_it_went_though_neither_stdout_nor_stderr_can_be_written() {
    for (answer, code) in [(Answer::Ready, 0), (Answer::NotReady("database"), 3)] {
        for format in ["human", "json", "jsonl"] {
            let (store, region) = (Store::new(), Region::answering(answer.clone()));
            let arguments = release(
                &[&region],
                "10,100",
                &["--timeout-s", "0", "--abort-on-err", "-o", format],
            );
            let mut command = store.command(&arguments, &[("TENANT_STICKY", "what")]);
            let status = command.stderr(full()).stdout(full()).status().unwrap();
            let ended = store.actions().pop().unwrap();
            let expected = if code == 0 {
                "promote_green"
            } else {
                "rollback_complete"
            };
            assert_eq!(ended, expected, "{format}");
            // One JSON document that cannot be written is a failed answer; the release is as it is.
            let allowed = if format == "json" {
                vec![code, 1]
            } else {
                vec![code]
            };
            assert!(
                allowed.contains(&status.code().unwrap()),
                "{format}: {status}"
            );
        }
    }
}

#[test]
fn a_refusal_keeps_its_exit_code_though_stderr_cannot_be_written() {
    let store = Store::new();
    for (arguments, code) in [
        (vec!["promote"], 5),
        (vec!["nonsense"], 2),
        (vec!["route", "acme"], 2),
        (vec!["regions", "-o", "json"], 2),
    ] {
        let status = store
            .command(&arguments, &[])
            .stderr(full())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_rollback_that_is_done_is_not_incomplete_though_its_answer_cannot_be_written() {
    let (store, region) = (Store::new(), Region::ready());
    store
        .run(&release(&[&region], "100", &["--timeout-s", "0"]))
        .exits(0);
    let mut command = store.command(&["rollback", "--reason", "x", "-o", "json"], &[]);
    let output = command.stdout(full()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("stdout") && !said.contains("ncomplete"),
        "{said}"
    );
    assert_eq!(store.actions().pop().unwrap(), "rollback_complete");
}
