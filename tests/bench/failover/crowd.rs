//! Clients that ask at a steady pace whatever becomes of those before them, GET and POST in turn.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two requests through one front.
const EVERY: Duration = Duration::from_millis(5);

/// Without an answer for so long, a request has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Those who ask through one front.
pub(super) struct Crowd {
    asked: Arc<Mutex<Vec<Asked>>>,
    asking: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) failed: bool,
    pub(super) post: bool,
}

impl Crowd {
    pub(super) fn start(front: usize, at: SocketAddr) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let noting = asked.clone();
        let asking = tokio::spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for number in 0_u64.. {
                ticks.tick().await;
                let noting = noting.clone();
                tokio::spawn(async move {
                    let begin = Instant::now();
                    let post = number % 2 == 1;
                    let answered = timeout(PATIENCE, ask(at, front, number, post)).await;
                    let failed = !matches!(answered, Ok(Some(())));
                    let mut asked = noting.lock().unwrap_or_else(PoisonError::into_inner);
                    asked.push(Asked {
                        at: begin,
                        failed,
                        post,
                    });
                });
            }
        });
        Self { asked, asking }
    }

    /// What has been asked since it was asked for last.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

async fn ask(at: SocketAddr, front: usize, number: u64, post: bool) -> Option<()> {
    let mut stream = TcpStream::connect(at).await.ok()?;
    let (method, length) = match post {
        true => ("POST", "Content-Length: 0\r\n"),
        false => ("GET", ""),
    };
    // Another tenant each time.
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: shop.example\r\nx-tenant: tenant{number}\r\nx-front: {front}\r\n{length}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 200 ").then_some(())
}
