//! A server that has the real page, and a table and answers of the test's choosing.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};

/// Where it listens. It lives as long as the test process.
pub(crate) fn fake(
    table: String,
    route: impl Fn(&str) -> String + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (table, route) = (Arc::new(table), Arc::new(route));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (table, route) = (table.clone(), route.clone());
            std::thread::spawn(move || answer(&stream, &table, &*route));
        }
    });
    address
}

fn answer(stream: &TcpStream, table: &str, route: &dyn Fn(&str) -> String) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    for line in lines.by_ref() {
        if line.is_empty() {
            break;
        }
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (kind, body) = match (path, halcyon_www::file(path)) {
        (_, Some(file)) => (file.content_type, file.bytes.to_vec()),
        ("/api/v1/stream", _) => {
            let data = snapshot(table);
            let body = format!("event: state\nid: 0.0\ndata: {data}\n\n");
            ("text/event-stream", body.into_bytes())
        }
        ("/api/v1/audit", _) => ("application/json", br#"{"records":[]}"#.to_vec()),
        ("/api/v1/region-events", _) => ("application/json", br#"{"events":[]}"#.to_vec()),
        ("/api/v1/series", _) => {
            let none = br#"{"step_s":15,"edges":0,"at":[],"series":[]}"#;
            ("application/json", none.to_vec())
        }
        ("/api/v1/probes", _) => {
            let none = br#"{"interval_ms":1000,"regions":[]}"#;
            ("application/json", none.to_vec())
        }
        ("/api/v1/access", _) => {
            let nobody = br#"{"user":null,"role":null,"tenant":null,"abilities":["read","table"]}"#;
            ("application/json", nobody.to_vec())
        }
        ("/api/v1/table", _) => ("application/json", table.as_bytes().to_vec()),
        ("/api/v1/route", _) => {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let tenant = pairs.find(|(name, _)| *name == "tenant");
            ("application/json", route(tenant.unwrap().1).into_bytes())
        }
        _ => ("text/plain", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
}

/// A snapshot with the regions of a table.
fn snapshot(table: &str) -> Value {
    let table: Value = serde_json::from_str(table).unwrap();
    let regions = table["regions"].as_array().unwrap().iter();
    let regions: Vec<Value> = regions
        .map(|region| {
            json!({
                "name": region["name"], "primary": false, "here": false, "weight": 1,
                "status": region["status"], "state": region["status"], "probed": region["status"],
                "override": null, "traffic": null,
            })
        })
        .collect();
    json!({
        "revision": 0, "deployment": "shop", "region": "us-east", "version": "0",
        "features": {"multi_region": false, "blue_green": null}, "placement": null,
        "regions": regions, "watching": true, "blind": false, "freeze": null, "edges": 0,
        "traffic": null, "stuck": null, "no_table": null, "errors": [], "warnings": [],
        "release": {
            "state": "idle", "blue_image": null, "green_image": null, "canary_weight": 0,
            "traffic_split": {"blue": 100, "green": 0}, "release_id": null, "under_way": false,
            "paused": null, "step": null, "steps": [], "regions": [], "next_deadline": null,
            "outcome": "none", "former_green": null, "ended_at": null,
            "former_blue": null, "blue_pool": "blue", "driver": false, "audit_head": "0:0",
        },
    })
}
