//! Tenants that ask, and pools that answer which one they are.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use halcyon_core::hash::TenantId;
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use serde_json::Value;

use super::control::Control;
use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::server::Server;
use crate::tables::{Mode, Tables};
use crate::world::{REGIONS, now, place};

/// How many tenants ask at once.
const AT_ONCE: usize = 8;

/// A pool of a region: two to each, in the order of the regions.
pub(super) struct Pool {
    server: Server,
    asked: Arc<AtomicUsize>,
}

impl Pool {
    pub(super) fn start(number: usize) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let answer = format!("HTTP/1.1 200 OK\r\nx-pool: {number}\r\ncontent-length: 0\r\n\r\n");
        let server = Server::start(Arc::new(move |_, stream| {
            counted.fetch_add(1, Ordering::Relaxed);
            stream.get_mut().write_all(answer.as_bytes()).is_ok()
        }));
        Self { server, asked }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.server.address)
    }
}

/// Where a tenant's request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) region: usize,
    /// Which of the region's pools.
    pub(super) pool: usize,
    /// Which role that had.
    pub(super) green: bool,
}

pub(super) struct Traffic {
    edge: Edge,
    tables: Tables,
    tenants: Vec<String>,
}

impl Traffic {
    pub(super) fn start(runtime: Runtime, control: &Control, count: usize) -> Option<Self> {
        let tables = Tables::start(Mode::Hang);
        let regions = REGIONS.iter().zip(control.pools.chunks(2));
        let regions = regions.map(|(name, pools)| {
            serde_json::json!({"name": name, "blue": pools[0].address(), "green": pools[1].address()})
        });
        let pools = serde_json::json!({"regions": regions.collect::<Vec<_>>()});
        let mut variables = vec![
            ("TABLE_URL", Value::from(tables.url())),
            ("TABLE_REFRESH_MS", "100".into()),
            ("TABLE_TIMEOUT_MS", "1000".into()),
        ];
        if runtime == Runtime::Envoy {
            variables.push(("POOLS", pools));
        }
        Some(Self {
            edge: Edge::start(runtime, &variables)?,
            tables,
            tenants: (0..count)
                .map(|number| format!("tenant-{number}"))
                .collect(),
        })
    }

    /// Publishes the table of how things stand and lets every tenant ask once: each must come where the core
    /// puts it, and no pool may get anything else.
    pub(super) fn ask_everybody(&self, control: &mut Control) -> Vec<Seen> {
        let table = control.table();
        self.publish(&table);
        let table = Table::from_json(&table.to_string()).unwrap();
        let before: Vec<usize> = counts(control);
        let parts = self.tenants.chunks(self.tenants.len().div_ceil(AT_ONCE));
        let seen: Vec<Seen> = thread::scope(|scope| {
            let asking = parts.map(|part| scope.spawn(|| self.ask(part, &table)));
            let asking: Vec<_> = asking.collect();
            asking
                .into_iter()
                .flat_map(|part| part.join().unwrap())
                .collect()
        });
        for (number, (after, before)) in counts(control).iter().zip(before).enumerate() {
            let ours = seen
                .iter()
                .filter(|seen| seen.region * 2 + seen.pool == number);
            assert_eq!(
                after - before,
                ours.count(),
                "requests that came to pool {number}"
            );
        }
        seen
    }

    fn ask(&self, tenants: &[String], table: &Table) -> Vec<Seen> {
        let mut client = Client::to(self.edge.address);
        let ask = |tenant: &String| {
            client.write(request("GET", "/", &[("x-tenant", tenant)]));
            let answer = client.answer("GET");
            assert_eq!(answer.status(), 200, "{tenant}: {answer}");
            let (region, slot, reason) = place(&answer);
            let native = table.route(TenantId::new(tenant).unwrap(), Timestamp(now()));
            let native = native.unwrap();
            let names = [
                native.region.as_str(),
                native.slot.name(),
                native.reason.name(),
            ];
            assert_eq!([&*region, &*slot, &*reason], names, "{tenant}");
            let number: usize = answer.header("x-pool").unwrap().parse().unwrap();
            assert_eq!(REGIONS[number / 2], region, "{tenant}");
            Seen {
                region: number / 2,
                pool: number % 2,
                green: slot == "green",
            }
        };
        tenants.iter().map(ask).collect()
    }

    /// Waits until the edge goes by this table: then it asks with its ETag.
    fn publish(&self, table: &Value) {
        let before = self.tables.not_modified();
        self.tables.mode(Mode::Table(table.clone()));
        let begin = Instant::now();
        while self.tables.not_modified() == before {
            self.edge.get("acme");
            let late = begin.elapsed() > Duration::from_secs(20);
            assert!(!late, "waited for a table: {}", self.edge.said());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn counts(control: &Control) -> Vec<usize> {
    let pools = control.pools.iter();
    pools
        .map(|pool| pool.asked.load(Ordering::Relaxed))
        .collect()
}
