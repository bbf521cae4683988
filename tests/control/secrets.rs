//! A secret that is planted in every input is in no output.

use std::fmt::Write;

use halcyon_tests::store::Store;
use serde_json::Value;

use crate::client::{Control, send};

#[test]
fn no_secret_is_in_any_answer_log_record_or_file_but_its_own() {
    let planted = "s3cr3t-7f1e";
    let keys = Store::new();
    keys.run(&["keygen", "--out", "key.pem"]).exits(0);
    let key = keys.dir().join("key.pem");
    let pem = std::fs::read_to_string(&key).unwrap();
    let control = Control::with(&[
        ("RUST_LOG", "trace"),
        ("REQUIRED_ENVS", "DB_PASSWORD"),
        ("DB_PASSWORD", planted),
        ("HALCYON_SIGNING_KEY_FILE", key.to_str().unwrap()),
        ("TENANT_HASH_KEY", "000102030405060708090a0b0c0d0e0f"),
        ("FEATURE_MULTI_REGION", "true"),
    ]);
    let description = send(control.address(), "GET /openapi.json", &[], None)
        .is(200)
        .json();
    let mut outputs = String::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if path.ends_with("/stream") {
                continue;
            }
            let path = path.replace("{name}", "us-east").replace("{id}", "x");
            let line = format!("{} {path}", method.to_uppercase());
            for role in ["Viewer", "Admin"] {
                let answer = control.ask(role, &line, Some(r#"{"reason":"x"}"#));
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                let _ = writeln!(outputs, "{}\n{body}", answer.head);
            }
            let basic = format!("Basic {planted}");
            for bad in [format!("Bearer {planted}"), basic, planted.to_owned()] {
                let answer = send(control.address(), &line, &[("Authorization", &bad)], None);
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                let _ = writeln!(outputs, "{}\n{body}", answer.head);
            }
        }
    }
    for path in ["/health", "/ready", "/ready?verbose", "/__meta", "/metrics"] {
        let answer = send(control.server.address(), &format!("GET {path}"), &[], None);
        let _ = writeln!(outputs, "{}", String::from_utf8_lossy(&answer.body));
    }
    let _ = writeln!(outputs, "{}", control.server.stderr());
    for file in std::fs::read_dir(control.store.logs()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let _ = writeln!(outputs, "{}", String::from_utf8_lossy(&bytes));
    }
    // It did look at something.
    let record: Value = control.records()[0].clone();
    assert!(outputs.contains(record["hash"].as_str().unwrap()) && outputs.len() > 20_000);
    let mut secrets = vec![planted.to_owned()];
    secrets.extend(["Viewer", "Edge", "Deployer", "Admin"].map(|role| control.secret(role)));
    secrets.extend(
        pem.lines()
            .filter(|line| !line.starts_with("--"))
            .map(str::to_owned),
    );
    assert_eq!(secrets.len(), 6);
    for secret in secrets {
        assert!(!outputs.contains(&secret), "{secret}");
    }
}

#[test]
fn no_value_of_a_required_variable_is_in_what_is_wrong_with_it() {
    let planted = "s3cr3t-7f1e!";
    let required = "REGIONS,PRIMARY_REGION,TENANT_STICKY,FAILOVER_POLICY";
    let control = Control::with(&[
        ("REQUIRED_ENVS", required),
        ("REGIONS", "us-east,s3cr3t-7f1e!"),
        ("PRIMARY_REGION", planted),
        ("TENANT_STICKY", planted),
        ("FAILOVER_POLICY", planted),
        ("REGION_ENDPOINTS", ""),
    ]);
    let state = control.state();
    let problems = state["errors"].as_array();
    assert!(problems.is_some_and(|all| !all.is_empty()), "{state:#}");
    assert!(!state.to_string().contains("s3cr3t"), "{state:#}");
    for line in ["GET /api/v1/table", "GET /api/v1/route?tenant=acme"] {
        let why = control.ask("Viewer", line, None).problem(503);
        assert!(
            why.contains("REGIONS: ") && !why.contains("s3cr3t"),
            "{why}"
        );
    }
    let said = control.server.stderr();
    assert!(!said.contains("s3cr3t"), "{said}");
    // Of a file that cannot be read, or a hook that cannot be run, its name is the value.
    let store = Store::new();
    let files = &["HALCYON_TOKENS_FILE", "HALCYON_SIGNING_KEY_FILE"][..];
    for (names, planted) in [(files, planted), (&["STEP_HOOK"], "http://s3cr3t:7f1e!")] {
        let required = names.join(",");
        let planted = names.iter().map(|name| (*name, planted));
        let variables: Vec<_> = planted.chain([("REQUIRED_ENVS", &*required)]).collect();
        let serve = ["serve", "--health-port", "0", "--dashboard-port", "0"];
        let ran = store.run_with(&serve, &variables).exits(2);
        for name in names {
            assert!(ran.stderr.contains(&format!("{name}: ")), "{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("s3cr3t"), "{}", ran.stderr);
    }
}
