//! A reverse proxy that sends every tenant to its region: placement embedded in a program of your own.
//!
//! ```sh
//! REGIONS=us-east,eu-west TENANT_STICKY=hash HALCYON_TOPOLOGY=topology.json cargo run --example proxy
//! curl -H 'x-tenant: acme' http://127.0.0.1:PORT/
//! ```
//!
//! The core decides; the sockets, the files and the knowledge of who is up are this program's. Requests
//! have no body, and a connection carries one, so that what is shown stays the routing.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use halcyon_core::config::{Environment, Topology};
use halcyon_core::document::Document;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::hash::TenantId;
use halcyon_core::ledger::Ledger;
use halcyon_core::placement::{Placement, RegionStatus, Router, Slot, SlotRule};
use halcyon_core::release::Pool;

/// The variables of the process, and the files they name, as JSON.
struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn document(&self, _variable: &str, path: &str) -> Result<Document, String> {
        let text = std::fs::read_to_string(path).map_err(|why| format!("cannot be read: {why}"))?;
        Document::from_json(&text)
    }
}

/// Everything a decision rests on.
struct Proxy {
    router: Router,
    topology: Topology,
    slots: SlotRule,
    /// The pool whose role is blue.
    blue_pool: Pool,
    /// In the order of the router's regions.
    health: RwLock<Vec<RegionStatus>>,
}

impl Proxy {
    fn new() -> Result<Self, Box<dyn Error>> {
        // Every problem of the configuration, a line each.
        let router = Router::from_lookup(&Process)?.prepare();
        let (topology, _) = Topology::read(&Process);
        let ledger = match std::env::var("JOURNAL") {
            Ok(path) => read_journal(&std::fs::read(path)?)?,
            Err(_) => Ledger::default(),
        };
        let release = ledger.release();
        Ok(Self {
            slots: router.slot_rule(release.view()),
            blue_pool: release.blue_pool(),
            health: RwLock::new(vec![RegionStatus::Up; router.len()]),
            topology,
            router,
        })
    }

    /// Where a placement's region serves it: blue and green are roles, and the journal says which pool
    /// has which.
    fn address(&self, placement: &Placement<'_>) -> Option<&Endpoint> {
        let pool = match placement.slot {
            Slot::Blue => self.blue_pool,
            Slot::Green => self.blue_pool.other(),
        };
        let region = self.topology.region(placement.region)?;
        match pool {
            Pool::Blue => region.blue.as_ref(),
            Pool::Green => region.green.as_ref(),
        }
    }

    /// Connects to the tenant's region, or to whichever the policy takes instead of one that refuses.
    fn connect(&self, tenant: TenantId<'_>) -> Result<TcpStream, Box<dyn Error>> {
        for _ in 0..self.router.len() {
            let health = self
                .health
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let placement = self.router.route(tenant, &health, &self.slots)?;
            let address = self
                .address(&placement)
                .ok_or("the topology has no address for it")?;
            if let Ok(stream) = TcpStream::connect((address.host(), address.port())) {
                eprintln!(
                    "{} -> {} {}: {}",
                    tenant.as_str(),
                    placement.region,
                    placement.slot,
                    placement.reason
                );
                return Ok(stream);
            }
            self.note_down(placement.region.as_str());
        }
        Err("no region answers".into())
    }

    /// A program of yours would bring it back too, after some good probes.
    fn note_down(&self, region: &str) {
        let mut health = self.health.write().unwrap_or_else(PoisonError::into_inner);
        let place = self
            .router
            .regions()
            .iter()
            .position(|known| known.as_str() == region);
        if let Some(status) = place.and_then(|place| health.get_mut(place)) {
            *status = RegionStatus::Down;
        }
    }

    fn serve(&self, mut client: TcpStream) -> Result<(), Box<dyn Error>> {
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut head = String::new();
        let mut lines = BufReader::new(client.try_clone()?);
        while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head)? > 0 {}
        let tenant = field(&head, "x-tenant").unwrap_or_default();
        let connected = TenantId::new(tenant)
            .map_err(Into::into)
            .and_then(|tenant| self.connect(tenant));
        match connected {
            Ok(mut region) => {
                region.write_all(head.as_bytes())?;
                io::copy(&mut region, &mut client)?;
            }
            Err(why) => {
                let why = why.to_string();
                write!(
                    client,
                    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{why}",
                    why.len()
                )?;
            }
        }
        Ok(())
    }
}

/// The state that a journal adds up to. Bytes behind its last newline are an append under way.
fn read_journal(bytes: &[u8]) -> Result<Ledger, Box<dyn Error>> {
    let mut ledger = Ledger::default();
    for line in bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
    {
        ledger.accept(line)?;
    }
    Ok(ledger)
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn run() -> Result<(), Box<dyn Error>> {
    let proxy = Arc::new(Proxy::new()?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    for client in listener.incoming() {
        let (proxy, client) = (proxy.clone(), client?);
        thread::spawn(move || {
            if let Err(why) = proxy.serve(client) {
                eprintln!("{why}");
            }
        });
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
