//! `halcyon healthcheck`.

use std::process::Output;

use halcyon_tests::process::{Serving, run};
use serde_json::{Value, json};

use crate::wire::{answering, nobody, silent, timed};

fn said(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8(output.stdout.clone()).unwrap(),
    )
}

#[test]
fn a_ready_server_is_exit_0() {
    let server = Serving::start(&[]);
    let port = server.address().port().to_string();
    let (code, line) = said(&run(&["healthcheck"], &[("HEALTH_PORT", &port)]));
    assert_eq!(code, Some(0));
    assert!(
        line.starts_with(&format!(
            "ready: http://127.0.0.1:{port}/ready answered in "
        )),
        "{line}"
    );
    for url in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}/ready"),
    ] {
        let (code, body) = said(&run(&["healthcheck", &url, "-o", "json"], &[]));
        assert_eq!(code, Some(0), "{body}");
        let url = format!("{}/ready", url.trim_end_matches("/ready"));
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"healthy": true, "url": url, "error": null})
        );
    }
}

#[test]
fn a_server_that_is_not_ready_is_exit_1_and_says_why() {
    let server = Serving::start(&[("REQUIRED_ENVS", "FOO,BAR")]);
    let port = server.address().port().to_string();
    let output = run(&["healthcheck"], &[("HEALTH_PORT", &port)]);
    let (code, line) = said(&output);
    assert_eq!(code, Some(1));
    assert!(
        line.ends_with("/ready: not ready: required_envs missing FOO BAR\n"),
        "{line}"
    );
    let (code, body) = said(&run(
        &["healthcheck", "-o", "jsonl"],
        &[("HEALTH_PORT", &port)],
    ));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &body["healthy"]), (Some(1), &json!(false)));
    assert_eq!(body["error"], "not ready: required_envs missing FOO BAR");
}

#[test]
fn whatever_else_answers_or_does_not_is_exit_1() {
    for (address, why) in [
        (nobody(), "connection refused"),
        (
            answering("HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n"),
            "status 302",
        ),
        (
            answering("HTTP/1.1 200 OK\r\n\r\n<html>\x1b[2J</html>"),
            "not JSON",
        ),
    ] {
        let (code, line) = said(&run(&["healthcheck", &format!("http://{address}")], &[]));
        assert_eq!(code, Some(1));
        assert!(
            line.contains(why) && line.lines().count() == 1 && !line.contains('\u{1b}'),
            "{line}"
        );
    }
    let (output, took) = timed(|| run(&["healthcheck", &format!("http://{}", silent())], &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(took.as_millis() < 4000, "{took:?}");
}

#[test]
fn what_cannot_be_asked_is_exit_2() {
    for (arguments, variables, about) in [
        (vec!["healthcheck", "nonsense"], vec![], "URL: "),
        (vec!["healthcheck", "tcp://127.0.0.1:1"], vec![], "URL: "),
        (
            vec!["healthcheck"],
            vec![("HEALTH_PORT", "65536")],
            "HEALTH_PORT: ",
        ),
        (
            vec!["healthcheck"],
            vec![("HEALTH_PORT", "0")],
            "HEALTH_PORT: ",
        ),
        (
            vec!["healthcheck", "http://x", "--ca-file", "/none"],
            vec![],
            "--ca-file: ",
        ),
    ] {
        let output = run(&arguments, &variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.starts_with(&format!("error: {about}")) && stderr.lines().count() == 1,
            "{stderr}"
        );
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_still_the_exit_code() {
    let server = Serving::start(&[]);
    for (address, code) in [(server.address(), 0), (nobody(), 1)] {
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" healthcheck "$1" >/dev/full"#])
            .arg(halcyon_tests::process::program())
            .arg(format!("http://{address}"))
            .env_clear()
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn a_metadata_service_is_never_asked_and_a_private_address_is_as_somebody_has_typed_it() {
    for url in [
        "http://169.254.169.254/",
        "http://2852039166/",
        "http://[::ffff:a9fe:a9fe]/",
        "https://100.100.100.200/",
    ] {
        let (code, body) = said(&run(&["healthcheck", url, "-o", "json"], &[]));
        let body: Value = serde_json::from_str(&body).unwrap();
        let why = body["error"].as_str().unwrap();
        assert_eq!(code, Some(1));
        assert!(
            why.ends_with("the address of a metadata service, which is never asked"),
            "{url}: {why}"
        );
    }
    let server = Serving::start(&[]);
    let url = format!("http://127.1:{}", server.address().port());
    assert_eq!(said(&run(&["healthcheck", &url], &[])).0, Some(0));
}
