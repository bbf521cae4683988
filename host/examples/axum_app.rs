//! A shop on axum that has Halcyon's health server among its own routes.
//!
//! ```sh
//! PORT=3000 CURRENT_REGION=eu-west cargo run --example axum_app
//! curl http://127.0.0.1:3000/ready
//! ```

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, serve};
use halcyon::health::{self, Health};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What the shop knows.
#[derive(Clone, Default)]
struct Shop {
    orders: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
}

async fn home() -> &'static str {
    "the shop\n"
}

async fn order(State(shop): State<Shop>, Path(article): Path<String>) -> (StatusCode, String) {
    let number = shop.orders.fetch_add(1, Ordering::Relaxed) + 1;
    (StatusCode::CREATED, format!("order {number}: {article}\n"))
}

async fn requests(State(shop): State<Shop>) -> String {
    format!("{}\n", shop.requests.load(Ordering::Relaxed))
}

async fn nowhere() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "no such page in the shop\n")
}

/// The shop's middleware; it sees the probes too.
async fn count(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    shop.requests.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

fn app(shop: Shop, health: Health) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/orders/{article}", post(order))
        .route("/requests", get(requests))
        // /health, /livez, /ready, /readyz, /__meta and /metrics
        .merge(health::router(health))
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(shop.clone(), count))
        .with_state(shop)
}

/// Is ready when the process is told to end.
///
/// The handler is in place when this returns, not only when the future is first polled: a server may
/// answer before it polls its shutdown, and a SIGTERM in between would kill it.
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}

async fn run() -> Result<(), Box<dyn Error>> {
    // Every variable that is malformed, at once.
    let health = Health::from_env()?;
    let told_to_end = told_to_end()?;
    let port = std::env::var("PORT").map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on {}", listener.local_addr()?);
    // /ready is 503 for DRAIN_MS, and only then does the listener close.
    let stop = health.clone().drain_after(told_to_end);
    serve(listener, app(Shop::default(), health))
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
