//! A real server that has something to show: three regions, a release under way, an hour of traffic, and some
//! hundred things that have happened.

use std::io::{Read, Write};
use std::net::TcpStream;

use halcyon_core::access::secret_digest;
use halcyon_tests::browser::Browser;
use halcyon_tests::process::Serving;
use halcyon_tests::region::Region;
use halcyon_tests::store::Store;
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];
const ADMIN: &str = "hlc_benchadmin";
const EDGE: &str = "hlc_benchedge";

pub(crate) struct World {
    server: Serving,
    _regions: Vec<Region>,
    _store: Store,
}

/// What a server has said, to be said again by a fake one.
pub(crate) struct Captured {
    pub(crate) state: Value,
    pub(crate) table: String,
    pub(crate) series: String,
    pub(crate) probes: String,
    pub(crate) access: String,
    pub(crate) records: Vec<Value>,
    pub(crate) events: Vec<Value>,
}

impl World {
    pub(crate) fn start() -> Self {
        let store = Store::new();
        let tokens = store.dir().join("tokens.toml").display().to_string();
        let lines = [("Admin", ADMIN), ("Edge", EDGE)].map(|(role, secret)| {
            let digest = secret_digest(secret);
            format!("[[token]]\nuser = \"{role}\"\nrole = \"{role}\"\nsha256 = \"{digest}\"\n")
        });
        std::fs::write(&tokens, lines.concat()).unwrap();
        let regions: Vec<Region> = NAMES.iter().map(|_| Region::ready()).collect();
        let endpoints = NAMES.iter().zip(&regions);
        let endpoints = endpoints.map(|(name, region)| format!("{name}=http://{}", region.at()));
        let endpoints = endpoints.collect::<Vec<_>>().join(",");
        let server = Serving::start(&[
            ("REGIONS", &NAMES.join(",")),
            ("PRIMARY_REGION", "us-east"),
            ("TENANT_STICKY", "hash"),
            ("FEATURE_MULTI_REGION", "true"),
            ("FEATURE_BLUE_GREEN", "true"),
            ("REGION_ENDPOINTS", &endpoints),
            ("PROBE_INTERVAL_MS", "1000"),
            ("DRAIN_MS", "0"),
            ("HALCYON_STORE", &format!("file:{}", store.logs().display())),
            ("HALCYON_TOKENS_FILE", &tokens),
            ("RUST_LOG", "error"),
        ]);
        let world = Self {
            server,
            _regions: regions,
            _store: store,
        };
        world.fill();
        world
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.server.dashboard())
    }

    /// Opens the page and waits until everything that it draws is there.
    pub(crate) fn open(&self, browser: &Browser) {
        browser.go(&self.url());
        browser.settle("document.querySelectorAll('.tile').length === 3 && document.querySelectorAll('.plot canvas').length === 2 && document.querySelector('.chain') !== null && document.querySelectorAll('.tile .tenants').length === 3 && document.querySelectorAll('.tile .strip').length === 3");
    }

    fn fill(&self) {
        let cell = |region: &str, slot: &str, requests: u64, batch: u64| {
            json!({
                "region": region, "slot": slot, "requests": requests, "errors": batch % 4,
                "latency": [[150 + batch % 20, requests - 10], [200, 10]],
            })
        };
        let batches = (0..60_u64).map(|batch| {
            let cells = NAMES.iter().flat_map(|name| {
                [
                    cell(name, "blue", 300 + batch * 3, batch),
                    cell(name, "green", 40 + batch, batch),
                ]
            });
            let cells: Vec<Value> = cells.collect();
            json!({"seq": batch + 1, "age_ms": (59 - batch) * 60_000, "lasted_ms": 0, "cells": cells})
        });
        let report = json!({"edge": "e", "batches": batches.collect::<Vec<_>>()});
        self.ask("POST /api/v1/telemetry", EDGE, Some(&report));
        let wish = json!({
            "image_blue": "app:v1", "image_green": "app:v2", "canary_seq": [10, 50], "timeout_s": 3600,
        });
        self.ask("POST /api/v1/releases", ADMIN, Some(&wish));
        for round in 0..30 {
            let path = format!("/api/v1/regions/{}/override", NAMES[round % 3]);
            let said = json!({"state": "drain", "reason": "a look at its disks"});
            self.ask(&format!("PUT {path}"), ADMIN, Some(&said));
            self.ask(&format!("DELETE {path}"), ADMIN, None);
            let why = json!({"reason": "a look at it"});
            self.ask("POST /api/v1/release/pause", ADMIN, Some(&why));
            self.ask("POST /api/v1/release/resume", ADMIN, None);
            // A client may ask for twenty changes a second.
            super::rest(220);
        }
    }

    /// What the server says now.
    pub(crate) fn captured(&self) -> Captured {
        let get = |path: &str| self.ask(&format!("GET {path}"), ADMIN, None);
        let list = |path: &str, of: &str| {
            let page: Value = serde_json::from_str(&get(path)).unwrap();
            page[of].as_array().unwrap().clone()
        };
        Captured {
            state: serde_json::from_str(&get("/api/v1/state")).unwrap(),
            table: get("/api/v1/table"),
            series: get("/api/v1/series?last_s=900&by=region"),
            probes: get("/api/v1/probes"),
            access: get("/api/v1/access"),
            records: list("/api/v1/audit?after=0", "records"),
            events: list("/api/v1/region-events?after=0", "events"),
        }
    }

    /// The bytes of the head of an answer with a file, as a browser gets it.
    pub(crate) fn head(&self, path: &str) -> u64 {
        let mut stream = TcpStream::connect(self.server.dashboard()).unwrap();
        let request = format!(
            "HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        stream.read_to_end(&mut head).unwrap();
        // One that is kept does not say that it closes.
        (head.len() - "connection: close\r\n".len()) as u64
    }

    fn ask(&self, line: &str, secret: &str, body: Option<&Value>) -> String {
        let mut stream = TcpStream::connect(self.server.dashboard()).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {secret}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{line}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}
