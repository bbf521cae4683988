//! The health server as another program has it: a router to mount, a server in the background.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as route;
use halcyon::health::{HealthServer, StartError, router, start_health_server};
use halcyon::net::server::Limits;

use crate::wire::{get, health, request, server, try_health};

#[test]
fn a_background_server_takes_a_free_port_and_ends_when_told() {
    let server = start_health_server(0).unwrap();
    let address = (Ipv4Addr::LOCALHOST, server.address().port()).into();
    assert_ne!(server.address().port(), 0);
    assert_eq!(get(address, "/health").status, 200);
    assert!(!server.is_closed());
}

#[test]
fn it_drains_before_it_ends() {
    let server = server(&[("DRAIN_MS", "400")], Limits::default());
    let address = server.address();
    assert_eq!(get(address, "/ready").status, 200);
    let begin = Instant::now();
    server.shutdown();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(address, "/ready").json()["checks"]["drain"], "draining");
    server.wait();
    assert!(
        begin.elapsed() >= Duration::from_millis(400)
            && begin.elapsed() < Duration::from_millis(2400)
    );
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn it_goes_on_when_its_handle_is_dropped() {
    let address = server(&[], Limits::default()).address();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(address, "/health").status, 200);
}

#[tokio::test]
async fn it_starts_and_fails_to_start_within_an_asynchronous_program() {
    let started = server(&[], Limits::default());
    let taken = started.address();
    let failed = HealthServer::start(taken, health(&[]), Limits::default());
    assert_eq!(failed.err().unwrap().kind(), std::io::ErrorKind::AddrInUse);
    let status = tokio::task::spawn_blocking(move || get(taken, "/health").status)
        .await
        .unwrap();
    assert_eq!(status, 200);
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = start_health_server(taken.local_addr().unwrap().port())
        .err()
        .unwrap();
    let StartError::Io(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_malformed_configuration_is_an_error_with_all_problems_as_for_the_program() {
    let problems = try_health(&[
        ("READINESS_CHECKS", "db=tcp://db:5432,mq=ftp://mq"),
        ("TENANT_RULES_FILE", "rules.json"),
        ("DRAIN_MS", "soon"),
        ("REGIONS", "not a region"),
    ])
    .err()
    .unwrap()
    .problems;
    for variable in ["READINESS_CHECKS: ", "TENANT_RULES_FILE: ", "DRAIN_MS: "] {
        let about = problems.iter().filter(|why| why.starts_with(variable));
        assert_eq!(about.count(), 1, "{problems:?}");
    }
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_router_can_be_mounted_beside_other_routes() {
    let health = health(&[("CURRENT_REGION", "eu-west")]);
    let app = Router::new()
        .route("/", route(|| async { "the program itself" }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "its own 404") })
        .merge(router(health.clone()));
    let app = app.nest("/internal", router(health.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    tokio::task::spawn_blocking(move || {
        assert_eq!(get(address, "/").body, "the program itself");
        assert_eq!(get(address, "/nope").body, "its own 404");
        assert_eq!(
            get(address, "/health").header("x-halcyon-region"),
            Some("eu-west")
        );
        assert_eq!(get(address, "/internal/ready").status, 200);
        assert_eq!(request(address, "POST", "/ready").status, 405);
        health.drain();
        assert_eq!(get(address, "/ready").status, 503);
    })
    .await
    .unwrap();
}
