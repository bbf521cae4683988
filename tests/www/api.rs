//! What the dashboard's server answers, and to whom.

use std::io::Read;

use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;
use serde_json::Value;

use crate::wire::{Answer, get, send};

const REGIONS: [(&str, &str); 2] = [
    ("REGIONS", "us-east,us-west,eu-west"),
    ("TENANT_STICKY", "hash"),
];

/// A server on a store.
pub(crate) fn serve(store: &Store, variables: &[(&str, &str)]) -> Serving {
    let logs = format!("file:{}", store.logs().display());
    Serving::start(&[variables, &[("HALCYON_STORE", logs.as_str())]].concat())
}

fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().unwrap().to_owned()
}

#[test]
fn every_answer_carries_the_strict_headers() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    let address = server.dashboard();
    let answers = [
        get(address, "/"),
        get(address, "/page/halcyon_bg.wasm"),
        get(address, "/api/v1/table"),
        get(address, "/api/v1/route?tenant=acme"),
        get(address, "/nothing"),
        send(address, "GET /", &[("Host", "evil.example")]),
        send(address, "POST /", &[("Host", "localhost")]),
        send(
            address,
            "GET /",
            &[("Host", "localhost"), ("Content-Length", "x")],
        ),
    ];
    for answer in answers {
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-halcyon-region", "unknown"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        assert!(answer.header("cache-control").is_some());
    }
}

#[test]
fn a_name_that_is_not_the_dashboards_gets_nothing() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    let address = server.dashboard();
    for path in ["/", "/api/v1/table", "/nothing"] {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
        ] {
            let answer = send(address, &format!("GET {path}"), &[("Host", host)]);
            let detail = problem(&answer, 421);
            assert!(
                detail.contains(host) && detail.contains("DASHBOARD_HOSTS"),
                "{detail}"
            );
        }
        let answer = send(
            address,
            &format!("GET http://evil.example{path}"),
            &[("Host", "localhost")],
        );
        problem(&answer, 421);
    }
    for host in ["localhost", "LocalHost:8080", "127.0.0.1", "[::1]:9"] {
        assert_eq!(
            send(address, "GET /", &[("Host", host)]).status,
            200,
            "{host}"
        );
    }
    let named = serve(&store, &[("DASHBOARD_HOSTS", "dash.example"), REGIONS[0]]);
    let address = named.dashboard();
    assert_eq!(
        send(address, "GET /", &[("Host", "dash.example:8443")]).status,
        200
    );
    problem(&send(address, "GET /", &[("Host", "localhost")]), 421);
}

#[test]
fn only_get_and_head_are_allowed() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    for path in ["/", "/api/v1/table", "/nothing"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = send(
                server.dashboard(),
                &format!("{method} {path}"),
                &[("Host", "localhost")],
            );
            problem(&answer, 405);
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    for path in ["/", "/app.js", "/api/v1/table", "/api/v1/route?tenant=acme"] {
        let got = get(server.dashboard(), path);
        let head = send(
            server.dashboard(),
            &format!("HEAD {path}"),
            &[("Host", "localhost")],
        );
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for name in ["content-length", "content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), got.header(name), "{path} {name}");
        }
    }
}

#[test]
fn a_file_is_sent_again_only_when_it_is_another_one() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    for file in halcyon_www::FILES {
        let answer = get(server.dashboard(), file.path);
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, file.bytes),
            "{}",
            file.path
        );
        assert_eq!(answer.header("content-type"), Some(file.content_type));
        assert_eq!(answer.header("etag"), Some(file.etag));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        for (known, status) in [
            (file.etag, 304),
            ("\"x\"", 200),
            ("*", 304),
            (&format!("\"x\", W/{}", file.etag), 304),
        ] {
            let headers = [("Host", "localhost"), ("If-None-Match", known)];
            let answer = send(server.dashboard(), &format!("GET {}", file.path), &headers);
            assert_eq!(answer.status, status, "{} {known}", file.path);
        }
    }
}

#[test]
fn a_file_is_sent_in_gzip_to_whoever_takes_that_under_a_tag_of_its_own() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    let mut squeezed = 0;
    for file in halcyon_www::FILES {
        let takes = ("Accept-Encoding", "gzip, deflate, br");
        let line = format!("GET {}", file.path);
        let answer = send(server.dashboard(), &line, &[("Host", "localhost"), takes]);
        let Some(gzip) = file.gzip else {
            assert_eq!(answer.body, file.bytes, "{}", file.path);
            continue;
        };
        squeezed += 1;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        assert_eq!(answer.body, gzip, "{}", file.path);
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(gzip)
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes, file.bytes, "{}", file.path);
        let tag = answer.header("etag").unwrap();
        assert_ne!(tag, file.etag);
        // What is known in one encoding is not known in the other.
        for (known, status) in [(tag, 304), (file.etag, 200)] {
            let headers = [("Host", "localhost"), takes, ("If-None-Match", known)];
            let again = send(server.dashboard(), &line, &headers);
            assert_eq!(again.status, status, "{} {known}", file.path);
        }
        let plain = get(server.dashboard(), file.path);
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert_eq!(plain.header("content-encoding"), None);
    }
    assert!(squeezed > 20, "{squeezed}");
}

#[test]
fn a_tenant_is_answered_as_on_the_command_line() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    for (query, tenant) in [
        ("acme", "acme"),
        ("Zo%C3%AB", "Zo\u{eb}"),
        ("a+b%26", "a b&"),
        ("", ""),
        ("%00", "\0"),
    ] {
        for (more, arguments) in [
            ("", &["route", "-o", "jsonl", "--"][..]),
            (
                "&explain=true",
                &["route", "--explain", "-o", "jsonl", "--"],
            ),
        ] {
            let answer = get(
                server.dashboard(),
                &format!("/api/v1/route?tenant={query}{more}"),
            );
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            if tenant == "\0" {
                continue; // no argument of a program can say that
            }
            let arguments = [arguments, &[tenant]].concat();
            let said = store.run_with(&arguments, &REGIONS).stdout;
            assert_eq!(answer.text(), said.trim_end());
        }
    }
    for path in [
        "/api/v1/route",
        "/api/v1/route?explain=true",
        "/api/v1/route?tenant=%FF",
    ] {
        problem(&get(server.dashboard(), path), 400);
    }
}

#[test]
fn the_table_is_issued_anew_only_when_something_in_it_changes() {
    let store = Store::new();
    let server = serve(&store, &REGIONS);
    let table = || get(server.dashboard(), "/api/v1/table");
    let (first, again) = (table(), table());
    assert_eq!(first.text(), again.text());
    let epoch = |answer: &Answer| answer.json()["epoch"].as_u64().unwrap();
    assert_eq!(
        first.header("etag"),
        Some(format!("\"{}\"", epoch(&first)).as_str())
    );
    let known = format!("\"{}\"", epoch(&first));
    let headers = [("Host", "localhost"), ("If-None-Match", known.as_str())];
    assert_eq!(
        send(server.dashboard(), "GET /api/v1/table", &headers).status,
        304
    );

    // The command line's own table is of the same state and a greater number.
    let own = store.run_with(&["table"], &REGIONS).exits(0).json();
    assert!(own["epoch"].as_u64().unwrap() > epoch(&first));
    assert_eq!(table().text(), first.text());

    store
        .run_with(&["rollback", "--reason", "x"], &REGIONS)
        .exits(0);
    assert_eq!(
        table().text(),
        first.text(),
        "nothing of it is in the table"
    );
}

#[test]
fn without_a_usable_configuration_the_api_says_why() {
    let store = Store::new();
    let server = serve(&store, &[("REGIONS", "a b"), ("PRIMARY_REGION", "x")]);
    for path in ["/api/v1/table", "/api/v1/route?tenant=acme"] {
        let detail = problem(&get(server.dashboard(), path), 503);
        assert!(detail.contains("REGIONS: "), "{detail}");
    }
    assert_eq!(get(server.dashboard(), "/").status, 200);
    assert!(!store.logs().exists());
}

#[test]
fn a_journal_that_does_not_verify_is_said_and_not_served() {
    let store = Store::new();
    std::fs::create_dir_all(store.logs()).unwrap();
    std::fs::write(store.log(), "no journal\n").unwrap();
    let server = serve(&store, &REGIONS);
    for path in ["/api/v1/table", "/api/v1/route?tenant=acme"] {
        let detail = problem(&get(server.dashboard(), path), 503);
        assert!(detail.contains("record 1"), "{detail}");
    }
}

#[test]
fn elsewhere_than_on_loopback_the_api_answers_who_has_a_token_alone() {
    let store = Store::new();
    let server = serve(
        &store,
        &[&REGIONS[..], &[("DASHBOARD_BIND", "0.0.0.0")]].concat(),
    );
    for path in ["/api/v1/table", "/api/v1/route?tenant=acme"] {
        let detail = problem(&get(server.dashboard(), path), 401);
        assert!(detail.contains("a token is needed"), "{detail}");
    }
    assert_eq!(get(server.dashboard(), "/").status, 200);
    let value: Value = get(server.dashboard(), "/nothing").json();
    assert_eq!(value["title"], "Not Found");
}

#[test]
fn a_table_carries_its_signature_where_a_key_is_set() {
    let store = Store::new();
    let ran = store.run(&["keygen", "--out", "key.pem"]).exits(0);
    let keys = halcyon::signing::TableKeys::parse(&[ran.stdout.trim().to_owned()]).unwrap();
    let key = store.dir().join("key.pem");
    let key = [("HALCYON_SIGNING_KEY_FILE", key.to_str().unwrap())];
    let server = serve(&store, &[&REGIONS[..], &key].concat());
    let table = get(server.dashboard(), "/api/v1/table");
    let signature = table.header("x-halcyon-signature");
    assert_eq!(keys.verify(&table.body, signature), Ok(()));
    let unsigned = serve(&Store::new(), &REGIONS);
    let table = get(unsigned.dashboard(), "/api/v1/table");
    assert_eq!(table.header("x-halcyon-signature"), None);
}
