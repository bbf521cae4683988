//! What `/ready` makes of READINESS_CHECKS.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use halcyon_tests::process::Serving;
use halcyon_tests::store::Store;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::wire::{Answer, answering, get, nobody, service, silent, timed};

fn ready(checks: &str) -> Answer {
    get(
        Serving::start(&[("READINESS_CHECKS", checks)]).address(),
        "/ready",
    )
}

/// The error of the only check.
fn error(checks: &str) -> String {
    let answer = ready(checks);
    assert_eq!(answer.status, 503, "{answer:?}");
    let check = answer.json()["checks"]["dependencies"]["it"].clone();
    assert_eq!(check["ok"], false);
    check["error"].as_str().unwrap().to_string()
}

#[test]
fn a_dependency_is_up_when_it_connects_or_answers_2xx() {
    let quiet = silent();
    let web = answering("HTTP/1.1 204 No Content\r\n\r\n");
    let endless = answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n{}",
        "x".repeat(9999)
    ));
    let answer = ready(&format!(
        "db=tcp://{quiet}, web=http://{web}/up?deep=1,big=http://{endless}"
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    for name in ["db", "web", "big"] {
        let check = &answer.json()["checks"]["dependencies"][name];
        assert_eq!(check["ok"], true);
        assert!(
            check["latency_ms"].is_u64() && check.get("error").is_none(),
            "{check}"
        );
    }
}

#[test]
fn a_dependency_that_is_down_makes_ready_503_and_says_why() {
    assert!(error(&format!("it=tcp://{}", nobody())).contains("connection refused"));
    assert!(error(&format!("it=http://{}", nobody())).contains("connection refused"));
    assert!(error("it=tcp://no-such-host.invalid:1").contains("no-such-host.invalid"));
    assert_eq!(
        error(&format!(
            "it=http://{}",
            answering("HTTP/1.1 500 No\r\n\r\n")
        )),
        "status 500; expected 2xx"
    );
    assert_eq!(
        error(&format!("it=http://{}", answering("220 smtp ready\r\n"))),
        "the answer is not HTTP/1"
    );
    assert!(error(&format!("it=http://{}", answering(""))).contains("closed before"));
    assert!(
        error(&format!(
            "it=https://{}",
            answering("HTTP/1.1 200 OK\r\n\r\n")
        ))
        .starts_with("TLS: ")
    );
}

#[test]
fn a_redirect_is_a_failure_and_never_followed() {
    let followed = Arc::new(AtomicUsize::new(0));
    let target = {
        let followed = followed.clone();
        service(move |mut stream| {
            followed.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        })
    };
    for (status, location) in [
        (301, format!("http://{target}/")),
        (302, "http://169.254.169.254/latest".into()),
        (307, "http://u:s3cret@h/latest?token=s3cret".into()),
    ] {
        let redirect = answering(format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        ));
        let why = error(&format!("it=http://{redirect}"));
        assert!(
            why.starts_with(&format!("status {status}, a redirect to")),
            "{why}"
        );
        assert!(why.ends_with("(never followed); expected 2xx"), "{why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    assert_eq!(followed.load(Ordering::Relaxed), 0);
}

#[test]
fn slow_dependencies_report_timeout_within_the_one_deadline() {
    let trickling = service(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        for byte in b"HTTP/1.1 200 OK\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let quiet = silent();
    let up = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let checks: Vec<String> = (0..8).map(|n| format!("slow{n}=http://{quiet}")).collect();
    let checks = format!(
        "{},trickle=http://{trickling},tls=https://{quiet},up=http://{up}",
        checks.join(",")
    );
    let server = Serving::start(&[
        ("READINESS_CHECKS", &checks),
        ("READINESS_TIMEOUT_MS", "300"),
    ]);
    let (answer, took) = timed(|| get(server.address(), "/ready"));
    assert_eq!(answer.status, 503);
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(2000),
        "{took:?}"
    );
    let dependencies = &answer.json()["checks"]["dependencies"];
    for name in ["slow0", "slow7", "trickle", "tls"] {
        assert_eq!(dependencies[name]["error"], "timeout", "{dependencies}");
        assert!(dependencies[name]["latency_ms"].as_u64().unwrap() >= 300);
    }
    assert_eq!(dependencies["up"]["ok"], true, "{dependencies}");
    assert_eq!(answer.json()["checks"]["readiness_timeout_ms"], 300);
}

#[test]
fn a_flood_of_ready_is_no_flood_on_a_dependency() {
    let asked = Arc::new(AtomicUsize::new(0));
    let slow = {
        let asked = asked.clone();
        service(move |mut stream| {
            asked.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 1024]);
            thread::sleep(Duration::from_millis(200));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        })
    };
    let checks = format!("it=http://{slow}");
    let server = Serving::start(&[
        ("READINESS_CHECKS", &checks),
        ("READINESS_TIMEOUT_MS", "2000"),
    ]);
    let address = server.address();
    let flood: Vec<_> = (0..100)
        .map(|_| thread::spawn(move || get(address, "/ready").status))
        .collect();
    assert!(flood.into_iter().all(|asker| asker.join().unwrap() == 200));
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked <= 10, "100 requests became {asked} checks");
}

#[test]
fn a_dependency_behind_tls_needs_a_certificate_that_is_trusted() {
    let authority = Authority::new();
    let address = authority.serve();
    let checks = format!("it=https://localhost:{}/", address.port());
    let why = error(&checks);
    assert!(why.starts_with("TLS: invalid peer certificate"), "{why}");

    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    fs::write(&ca_file, &authority.pem).unwrap();
    let arguments = ["--ca-file", ca_file.to_str().unwrap()];
    let server = Serving::start_with(&arguments, &[("READINESS_CHECKS", &checks)]);
    let answer = get(server.address(), "/ready");
    assert_eq!(answer.status, 200, "{answer:?}");

    let other_name = format!("it=https://127.0.0.1:{}/", address.port());
    let server = Serving::start_with(&arguments, &[("READINESS_CHECKS", &other_name)]);
    let body = get(server.address(), "/ready").body;
    assert!(body.contains("TLS: invalid peer certificate"), "{body}");
}

#[test]
fn a_region_behind_tls_needs_a_certificate_that_is_trusted() {
    let authority = Authority::new();
    let region = format!("https://localhost:{}", authority.serve().port());
    let store = Store::new();
    let ca_file = store.dir().join("ca.pem");
    fs::write(&ca_file, &authority.pem).unwrap();
    let release = [
        &[
            "release",
            "--image-blue",
            "app:1",
            "--image-green",
            "app:2",
            "--canary-seq",
            "100",
        ][..],
        &["--timeout-s", "0", "--abort-on-err", "--region", &region],
    ]
    .concat();
    store
        .run(&release)
        .exits(3)
        .says("TLS: invalid peer certificate");
    let trusting = [&release[..], &["--ca-file", ca_file.to_str().unwrap()]].concat();
    store.run(&trusting).exits(0);
}

/// A certificate authority of our own, and a server with a certificate for `localhost`.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: rcgen::Issuer::new(parameters, key),
        }
    }

    fn serve(&self) -> SocketAddr {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(["localhost".to_string()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        service(move |stream| {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            if stream.read(&mut [0; 1024]).is_ok() {
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"status\":\"ready\"}",
                );
            }
        })
    }
}
