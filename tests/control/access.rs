//! Every route × method × role × token × Host, generated from the description of the API, against section 7 of
//! what others rely on.

use std::collections::BTreeMap;

use halcyon_tests::process::Serving;
use serde_json::Value;

use crate::client::{Answer, Control, head, new_token, send};

/// Who may, by operation: written here a second time, so that the program's own table can be wrong.
fn may(operation: &str) -> &'static [&'static str] {
    match operation {
        "state" | "route" | "route_many" | "audit" | "audit_verify" | "region_events"
        | "stream" | "release" | "metrics" | "series" | "probes" | "access" => {
            &["Viewer", "Deployer", "Admin"]
        }
        "telemetry" => &["Edge"],
        "table" => &["Viewer", "Edge", "Deployer", "Admin"],
        "begin_release" | "promote" | "pause" | "resume" | "rollback" => &["Deployer", "Admin"],
        "set_override" | "unset_override" => &["Deployer", "Admin"],
        "freeze" | "unfreeze" => &["Admin"],
        other => panic!("{other} is not in the table of who may do what"),
    }
}

/// An operation of the description: its name, method, and a path that can be asked.
struct Operation {
    name: String,
    method: String,
    path: String,
}

fn operations(server: &Serving) -> (Vec<Operation>, Value) {
    let description = send(server.dashboard(), "GET /openapi.json", &[], None)
        .is(200)
        .json();
    let mut all = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let path = path.replace("{name}", "us-east").replace("{id}", "x");
            let path = match operation["operationId"].as_str().unwrap() {
                "route" => path + "?tenant=acme",
                _ => path,
            };
            all.push(Operation {
                name: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path,
            });
        }
    }
    (all, description)
}

impl Operation {
    fn ask(&self, server: &Serving, headers: &[(&str, &str)]) -> Answer {
        let line = format!("{} {}", self.method, self.path);
        // Nothing that is asked here is a good body: whoever is let in learns that, and nothing changes.
        let body = (self.method != "GET").then_some(match self.name.as_str() {
            "route_many" => r#"{"tenants":["acme"]}"#,
            _ => r#"{"x":1}"#,
        });
        match self.name.as_str() {
            "stream" => head(server.dashboard(), &line, headers),
            _ => send(server.dashboard(), &line, headers, body),
        }
    }

    /// Its path without a query.
    fn place(&self) -> &str {
        self.path.split('?').next().unwrap()
    }

    fn reads(&self) -> bool {
        self.method == "GET" || self.name == "route_many"
    }
}

#[test]
fn every_operation_is_for_those_whom_the_table_names_and_for_nobody_else() {
    let mut control = Control::start();
    let scoped = ["--user", "t", "--role", "Viewer", "--tenant", "other"];
    new_token(&control.store, "scoped", &scoped);
    let expiring = ["--user", "e", "--role", "Admin", "--expires", "1s"];
    new_token(&control.store, "expired", &expiring);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    control.killed_and_restarted();
    let open = &control.server;
    let mut variables = control.variables();
    // One that is not on loopback, where reading takes a token too.
    variables.push(("DASHBOARD_BIND", "0.0.0.0"));
    let elsewhere = halcyon_tests::store::Store::new();
    let other = format!("file:{}", elsewhere.logs().display());
    variables.retain(|(name, _)| *name != "HALCYON_STORE");
    variables.push(("HALCYON_STORE", &other));
    let closed = &Serving::start(&variables);
    let roles = ["Viewer", "Edge", "Deployer", "Admin"];
    let mut tried = BTreeMap::new();
    let (operations, _) = operations(open);
    assert_eq!(operations.len(), 23);
    for server in [open, closed] {
        let is_open = server.address() == open.address();
        for operation in &operations {
            let allowed = may(&operation.name);
            let mut check = |who: &str, secret: Option<&str>, expected: Option<u16>| {
                let bearer = secret.map(|secret| format!("Bearer {secret}"));
                let mut headers = vec![("Host", "localhost")];
                headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
                let answer = operation.ask(server, &headers);
                let name = &operation.name;
                match expected {
                    Some(status) => assert_eq!(answer.status, status, "{name} {who} {answer:?}"),
                    None => assert!(
                        !matches!(answer.status, 401 | 403 | 404 | 405 | 421 | 429 | 500..)
                            || (name == "release" && answer.status == 404),
                        "{name} {who} {answer:?}"
                    ),
                }
                if answer.status == 401 {
                    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                }
                *tried.entry(answer.status).or_insert(0) += 1;
                headers[0] = ("Host", "evil.example");
                assert_eq!(operation.ask(server, &headers).status, 421, "{name} {who}");
            };
            for role in roles {
                let expected = (!allowed.contains(&role)).then_some(403);
                check(role, Some(&control.secret(role)), expected);
            }
            let anonymous = (!(operation.reads() && is_open)).then_some(401);
            check("nobody", None, anonymous);
            check("a bad token", Some("hlc_bad"), Some(401));
            check(
                "an expired token",
                Some(&control.secret("expired")),
                Some(401),
            );
            // It may read what is of no tenant.
            let scoped = match operation.name.as_str() {
                "route" | "route_many" | "table" => Some(403),
                _ if operation.reads() => None,
                _ => Some(403),
            };
            check(
                "another tenant's token",
                Some(&control.secret("scoped")),
                scoped,
            );
        }
    }
    // So that a wrong turn of this test does not make it agree with everything.
    assert!(
        tried.len() >= 5 && tried.values().sum::<i32>() == 2 * 23 * 8,
        "{tried:?}"
    );
}

#[test]
fn a_method_that_a_path_does_not_have_is_405_whoever_asks_and_says_those_it_has() {
    let control = Control::start();
    let (operations, description) = operations(&control.server);
    let known = |path: &str| -> Vec<String> {
        let same = operations
            .iter()
            .filter(|operation| operation.place() == path);
        let mut methods: Vec<String> = same.map(|operation| operation.method.clone()).collect();
        if methods.contains(&"GET".to_owned()) {
            methods.push("HEAD".into());
        }
        methods.sort();
        methods
    };
    let paths: std::collections::BTreeSet<&str> = operations.iter().map(Operation::place).collect();
    assert_eq!(paths.len(), description["paths"].as_object().unwrap().len());
    for path in paths {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if known(path).contains(&method.to_owned()) {
                continue;
            }
            for role in ["", "Admin"] {
                let line = format!("{method} {path}");
                let mut answer = control.ask(role, &line, Some("{}"));
                // Such requests count as changes, of which a client has so many a second.
                while answer.status == 429 {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    answer = control.ask(role, &line, Some("{}"));
                }
                assert_eq!(answer.status, 405, "{method} {path} {answer:?}");
                let allow = answer.header("allow").unwrap();
                let mut allow: Vec<&str> = allow.split(", ").collect();
                allow.sort_unstable();
                assert_eq!(allow, known(path), "{method} {path}");
            }
        }
    }
}

#[test]
fn without_a_tokens_file_nothing_can_be_changed_and_everything_read_on_loopback() {
    let control = Control::with(&[("HALCYON_TOKENS_FILE", "")]);
    for operation in operations(&control.server).0 {
        for headers in [&[][..], &[("Authorization", "Bearer hlc_x")]] {
            let answer = operation.ask(&control.server, headers);
            let name = &operation.name;
            match operation.reads() {
                true => assert!(matches!(answer.status, 200 | 404), "{name} {answer:?}"),
                false => {
                    let detail = answer.problem(403);
                    assert!(detail.contains("HALCYON_TOKENS_FILE"), "{name} {detail}");
                }
            }
        }
    }
}

#[test]
fn anonymous_reads_open_reading_and_nothing_else_everywhere() {
    let control = Control::start();
    let path = control.store.dir().join("tokens.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("anonymous_reads = false", "anonymous_reads = true"),
    )
    .unwrap();
    let mut variables = control.variables();
    variables.push(("DASHBOARD_BIND", "0.0.0.0"));
    let server = Serving::start(&variables);
    for operation in operations(&server).0 {
        let status = operation.ask(&server, &[]).status;
        match operation.reads() {
            true => assert!(matches!(status, 200 | 404), "{} {status}", operation.name),
            false => assert_eq!(status, 401, "{}", operation.name),
        }
    }
}

#[test]
fn a_page_of_another_site_changes_nothing_with_whatever_token() {
    let control = Control::start();
    let body = Some(r#"{"state":"drain","reason":"x"}"#);
    let line = "PUT /api/v1/regions/us-east/override";
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:1",
        "http://localhost.evil.example",
        "localhost",
        "",
    ] {
        let headers = [("Origin", origin), ("Host", "localhost:8080")];
        let answer = control.ask_with("Admin", line, &headers, body);
        assert!(answer.problem(403).contains("may not ask"), "{origin}");
    }
    assert_eq!(control.state()["regions"][0]["override"], Value::Null);
    for origin in ["http://localhost:8080", "https://LOCALHOST:8080"] {
        let headers = [("Origin", origin), ("Host", "localhost:8080")];
        control.ask_with("Admin", line, &headers, body).is(200);
    }
}
