//! The health server mounted into somebody else's axum application.

use std::net::TcpStream;

use serde_json::Value;

use super::{Program, ask};

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {body}"))
}

#[test]
fn the_shop_answers_on_its_own_paths_and_on_halcyons() {
    let shop = Program::start(
        "axum_app",
        &[
            ("CURRENT_REGION", "eu-west"),
            ("REQUIRED_ENVS", "CURRENT_REGION"),
        ],
    );
    let (status, head, body) = ask(shop.address, "GET", "/health", "");
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"status":"healthy","checks":{"process":"up"}}"#)
    );
    assert!(
        head.contains("x-halcyon-region: eu-west") && head.contains("cache-control: no-store"),
        "{head}"
    );
    let (status, body) = shop.ask("GET", "/ready", "");
    assert_eq!(
        (status, &json(&body)["checks"]["required_envs"]["ok"]),
        (200, &Value::Bool(true))
    );
    let (status, body) = shop.ask("GET", "/__meta", "");
    assert_eq!(
        (status, json(&body)["region"].as_str()),
        (200, Some("eu-west"))
    );
    assert_eq!(shop.ask("POST", "/ready", "").0, 405);

    let (status, head, body) = ask(shop.address, "GET", "/", "");
    assert_eq!((status, body.as_str()), (200, "the shop\n"));
    assert!(
        !head.contains("x-halcyon-region"),
        "the shop's own answers stay as they are: {head}"
    );
    assert_eq!(
        shop.ask("POST", "/orders/tea", ""),
        (201, "order 1: tea\n".into())
    );
    assert_eq!(
        shop.ask("POST", "/orders/jam", ""),
        (201, "order 2: jam\n".into())
    );
    assert_eq!(
        shop.ask("GET", "/nope", ""),
        (404, "no such page in the shop\n".into())
    );
    assert_eq!(
        shop.ask("GET", "/requests", ""),
        (200, "9\n".into()),
        "its middleware sees every request"
    );

    let (status, body) = shop.ask("GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(
        body.ends_with("# EOF\n") && body.contains("path=\"/ready\""),
        "{body}"
    );
}

#[test]
fn the_shop_is_not_ready_when_a_variable_it_needs_is_missing() {
    let shop = Program::start("axum_app", &[("REQUIRED_ENVS", "DATABASE_URL")]);
    let (status, body) = shop.ask("GET", "/ready", "");
    assert_eq!(
        (
            status,
            &json(&body)["checks"]["required_envs"]["missing"][0]
        ),
        (503, &Value::from("DATABASE_URL"))
    );
    assert_eq!(shop.ask("GET", "/", "").0, 200);
}

#[test]
fn told_to_end_the_shop_drains_and_then_exits_0() {
    let mut shop = Program::start("axum_app", &[("DRAIN_MS", "1500")]);
    assert_eq!(shop.ask("GET", "/ready", "").0, 200);
    shop.terminate();
    // The signal is on its way to a task: until it is there, the shop is ready.
    let drained = loop {
        let (status, body) = shop.ask("GET", "/ready", "");
        if status != 200 {
            break (status, body);
        }
    };
    assert_eq!(
        (drained.0, json(&drained.1)["checks"]["drain"].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(
        shop.ask("POST", "/orders/tea", "").0,
        201,
        "whoever comes while it drains is served"
    );
    assert_eq!(shop.ask("GET", "/health", "").0, 200);
    assert_eq!(shop.end().code(), Some(0));
    assert!(TcpStream::connect(shop.address).is_err());
}

#[test]
fn told_to_end_before_its_first_request_the_shop_drains_too() {
    let mut shop = Program::start("axum_app", &[("DRAIN_MS", "300")]);
    shop.terminate();
    assert_eq!(shop.end().code(), Some(0), "not killed by the signal");
}

#[test]
fn a_malformed_configuration_ends_the_shop_with_every_problem() {
    let output = std::process::Command::new(halcyon_tests::process::example("axum_app"))
        .env_clear()
        .envs([("DRAIN_MS", "soon"), ("READINESS_CHECKS", "db=ftp://x")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success()
            && said.contains("DRAIN_MS: ")
            && said.contains("READINESS_CHECKS: "),
        "{said}"
    );
}
