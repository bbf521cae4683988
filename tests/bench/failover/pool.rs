//! The application of a region: it notes who sent it what, and can go away, or fall silent, and come back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A pool on a port that stays its own.
pub(super) struct Pool {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    silent: AtomicBool,
    /// When each request came, and through which front.
    came: Mutex<Vec<(Instant, usize)>>,
}

impl Pool {
    pub(super) async fn start() -> Self {
        let mut pool = Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            shared: Arc::default(),
            serving: None,
        };
        pool.listen().await;
        pool
    }

    /// Begins to serve, or does so again.
    pub(super) async fn listen(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("a free port");
        self.address = listener.local_addr().expect("it is bound");
        let shared = self.shared.clone();
        self.serving = Some(tokio::spawn(async move {
            // Connections end with the listener, as those of a killed process do.
            let mut connections = JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, shared.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// Its listener and its connections close; whoever connects is refused.
    pub(super) async fn die(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Whether it takes requests and answers none, from now on.
    pub(super) fn silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// When requests of a front came, in order.
    pub(super) fn came(&self, front: usize) -> Vec<Instant> {
        let came = self.shared.came.lock();
        let came = came.unwrap_or_else(PoisonError::into_inner);
        let of = came.iter().filter(|(_, by)| *by == front);
        of.map(|(at, _)| *at).collect()
    }

    pub(super) fn forget(&self) {
        let came = self.shared.came.lock();
        came.unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut block).await {
        bytes.extend_from_slice(&block[..read]);
        // No request of the crowd has a body, but for a POST's empty one.
        while let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            bytes.drain(..end + 4);
            let front = head.split("x-front: ").nth(1);
            let front = front.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            let Some(front) = front else { return };
            let came = shared.came.lock();
            came.unwrap_or_else(PoisonError::into_inner)
                .push((Instant::now(), front));
            if shared.silent.load(Ordering::SeqCst) {
                continue;
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}
