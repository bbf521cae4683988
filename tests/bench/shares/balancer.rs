//! What a load balancer knows of two edges: which one is ready.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::edge::{Edge, is_ready};

/// How often it asks. Balancers ask more seldom, and drains are longer.
const LOOK: Duration = Duration::from_millis(100);

/// Sends clients to the oldest edge that is ready, until it is ended.
pub(super) struct Balancer {
    /// Port and health server, the oldest first.
    edges: Arc<Mutex<Vec<(u16, SocketAddr)>>>,
    over: Arc<AtomicBool>,
    looking: JoinHandle<()>,
}

impl Balancer {
    pub(super) fn start(port: &Arc<AtomicU16>, first: &Edge) -> Self {
        let edges = Arc::new(Mutex::new(vec![of(first)]));
        let over = Arc::new(AtomicBool::new(false));
        let (port, known, ends) = (port.clone(), edges.clone(), over.clone());
        let looking = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let mut now = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                now.retain(|(_, health)| is_ready(*health));
                if let Some((ready, _)) = now.first() {
                    port.store(*ready, Ordering::Relaxed);
                }
                thread::sleep(LOOK);
            }
        });
        Self {
            edges,
            over,
            looking,
        }
    }

    pub(super) fn add(&self, edge: &Edge) {
        let mut edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        edges.push(of(edge));
    }

    pub(super) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        // A thread that has ended by itself has nothing to say.
        let _ = self.looking.join();
    }
}

fn of(edge: &Edge) -> (u16, SocketAddr) {
    (edge.address.port(), edge.health)
}
