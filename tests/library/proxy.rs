//! Placement embedded in a proxy.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use halcyon_tests::process;

use super::Program;

/// A pool that says its name.
fn pool(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{name}",
                name.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn every_tenant_reaches_its_region_and_the_next_one_when_that_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let topology = directory.path().join("topology.json");
    let text = serde_json::json!({ "region": [
        { "name": "us-east", "blue": format!("http://{}", pool("us-east blue")) },
        { "name": "us-west", "blue": format!("http://{}", nobody()) },
        { "name": "eu-west", "blue": format!("http://{}", pool("eu-west blue")) },
    ] });
    std::fs::write(&topology, text.to_string()).unwrap();
    let rules = directory.path().join("rules.json");
    std::fs::write(&rules, r#"{"residency":[{"tenant":"strict","regions":["us-west"]}],"pins":[{"tenant":"pin","region":"eu-west"}]}"#).unwrap();
    let proxy = Program::start(
        "proxy",
        &[
            ("TENANT_STICKY", "hash"),
            ("HALCYON_TOPOLOGY", topology.to_str().unwrap()),
            ("TENANT_RULES_FILE", rules.to_str().unwrap()),
        ],
    );
    let ask = |tenant: &str| proxy.ask("GET", "/", &format!("x-tenant: {tenant}\r\n"));
    // The contract's examples: acme is us-east's, tenant1 eu-west's, tenant123 us-west's.
    assert_eq!(ask("acme"), (200, "us-east blue".into()));
    assert_eq!(ask("tenant1"), (200, "eu-west blue".into()));
    assert_eq!(ask("pin"), (200, "eu-west blue".into()));
    assert_eq!(
        ask("tenant123"),
        (200, "eu-west blue".into()),
        "ordered: the region after us-west"
    );
    assert_eq!(
        ask("strict"),
        (503, "no region answers".into()),
        "a tenant never leaves its residency"
    );
    assert_eq!(proxy.ask("GET", "/", "").0, 503, "no tenant, no region");
}

#[test]
fn while_a_release_is_live_tenants_get_the_green_pool() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let topology = serde_json::json!({ "region": [{
        "name": "us-east",
        "blue": format!("http://{}", pool("blue")),
        "green": format!("http://{}", pool("green")),
    }] });
    std::fs::write(path("topology"), topology.to_string()).unwrap();
    let environment = [
        ("PRIMARY_REGION", "us-east"),
        ("HALCYON_TOPOLOGY", &path("topology")),
        ("JOURNAL", &path("deploy_audit.log")),
    ];
    let ask = || Program::start("proxy", &environment).ask("GET", "/", "x-tenant: acme\r\n");
    std::fs::write(path("deploy_audit.log"), "").unwrap();
    assert_eq!(ask(), (200, "blue".into()));
    let dir = directory.path().to_str().unwrap();
    let output = std::process::Command::new(process::example("deployer"))
        .args([dir, "app:v2"])
        .env_clear()
        .env("DEPLOY_RBAC_ROLE", "Deployer")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(ask(), (200, "green".into()));
}
