//! `cargo bench --bench shares`: what a canary's weight is worth, beside HAProxy and what Flagger's cookie does;
//! and which requests clients of `halcyon edge` lose.
//!
//! `-- weight` or `-- lost` runs one of the two. It needs `haproxy`, and goes on without it. Everything is on
//! loopback. It ends with 1 where Halcyon's shares are not what its weights say.

mod ask;
mod balancer;
mod edge;
mod flagger;
mod haproxy;
mod load;
mod lost;
mod shares;
mod upstream;

use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let asked = |what: &str| std::env::args().any(|arg| arg == what);
    // `cargo test --benches` passes --test: then everything once, briefly.
    let (tenants, length) = match asked("--bench") {
        true => (100_000, Duration::from_secs(20)),
        false => (2_000, Duration::from_secs(3)),
    };
    let mut wrong = Vec::new();
    if !asked("lost") {
        wrong = shares::measure(tenants);
    }
    if !asked("weight") {
        lost::measure(length);
    }
    for what in &wrong {
        println!("\nwrong with Halcyon: {what}");
    }
    ExitCode::from(u8::from(!wrong.is_empty()))
}

/// Waits for something that takes a moment.
fn wait(what: &str, so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !so() {
        let waited = begin.elapsed();
        assert!(waited < Duration::from_secs(10), "no {what} in {waited:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
