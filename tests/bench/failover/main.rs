//! A region dies, or falls silent, and comes back, again and again, under a steady load: when the control plane's
//! table says so, when an edge holds that table, and when the last request goes there; beside HAProxy, whose own
//! checks ask the same `/ready` as often, in front of the same pools, in the same rounds.
//!
//! `cargo bench -p halcyon-tests --bench failover`, or with `-- killed` or `-- silent` one of the two. It needs
//! `haproxy`; `ROUNDS` says how many there are. The figures are in docs/performance.md.

#![allow(missing_docs)]

mod crowd;
mod fronts;
mod pool;
mod round;
mod site;
mod watch;

use round::{Figures, Round};
use site::Site;

const NAMES: [&str; 3] = ["us-east", "us-west", "eu-west"];
/// The one that is lost.
const LOST: &str = NAMES[1];
const TOKEN: &str = "hlc_failover";
const UPSTREAM_TIMEOUT_MS: u64 = 1_000;

/// What is asked through, in this order.
const FRONTS: [&str; 3] = ["HAProxy", "edge, table alone", "edge with breaker"];

/// How a region is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Its health server is killed, and its pool goes with it: connections are refused.
    Killed,
    /// Its health server is stopped, and its pool takes requests and answers none.
    Silent,
}

struct Case {
    loss: Loss,
    /// Between two probes, and between two checks.
    interval_ms: u64,
    /// Between two questions for the table.
    refresh_ms: u64,
    rounds: u32,
}

impl Case {
    /// How long a probe, or a check, may take.
    fn timeout_ms(&self) -> u64 {
        self.interval_ms / 2
    }
}

fn main() {
    // `cargo test --benches` passes no --bench: then everything once, briefly.
    let whole = std::env::args().any(|arg| arg == "--bench");
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds: u32 = rounds.unwrap_or(if whole { 15 } else { 1 });
    println!(
        "HAProxy checks by itself; an edge goes by the table of a control plane, which it asks for every \
         TABLE_REFRESH_MS. PROBE_FALL=3, PROBE_RISE=2 and FAILBACK_HOLD_MS=0, as fall 3 and rise 2; a probe may take \
         half of the interval, and an upstream {UPSTREAM_TIMEOUT_MS} ms. Median (longest) of the rounds."
    );
    // In this order: probes, questions for the table, and a share of the rounds. The last is the default of an edge.
    let paces: &[(u64, u64, u32)] = match whole {
        true => &[(1_000, 1_000, 1), (200, 200, 1), (1_000, 10_000, 2)],
        false => &[(200, 200, 1)],
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for (interval_ms, refresh_ms, share) in paces {
        for loss in [Loss::Killed, Loss::Silent] {
            if let Some(wanted) = &only
                && !format!("{loss:?}").eq_ignore_ascii_case(wanted)
            {
                continue;
            }
            let case = Case {
                loss,
                interval_ms: *interval_ms,
                refresh_ms: *refresh_ms,
                rounds: rounds.div_ceil(*share),
            };
            let figures = runtime.block_on(measured(&case));
            println!(
                "\n{:?}, probes every {} ms, TABLE_REFRESH_MS={}, {} rounds\n",
                case.loss, case.interval_ms, case.refresh_ms, case.rounds
            );
            figures.print();
        }
    }
}

async fn measured(case: &Case) -> Figures {
    let mut site = Site::start(case).await;
    let mut rounds: Vec<Round> = Vec::new();
    for number in 0..case.rounds {
        rounds.push(site.round(case, number).await);
    }
    Figures::of(rounds)
}
