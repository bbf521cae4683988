//! `cargo bench --bench proxy`: the embedded edge beside nginx, HAProxy and Envoy in front of the same upstream.
//!
//! Each proxy is pinned to the first core; clients and upstream share the last. What is compared is CPU time,
//! round by round in turn; the median of the rounds' ratios counts. The others do less: they send everything to
//! one upstream, and know nothing of tenants. `ENVOY` names Envoy's binary; without it, it is left out.

mod envoy;
#[path = "../health/load.rs"]
mod load;
mod peers;

use std::time::{Duration, Instant};

use load::{Load, Spent};
use peers::{Server, Upstream};

/// What a client sends; a plain one sends no tenant to the health server.
fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\nx-tenant: tenant123\r\n\r\n"
    )
}

fn main() {
    // `cargo test --benches` passes --test: then everything once, briefly.
    let whole = std::env::args().any(|arg| arg == "--bench");
    let (rounds, requests) = if whole { (15, 10_000) } else { (1, 320) };
    load::pin_this_thread();
    let upstream = Upstream::start();
    let halcyon = Server::halcyon(&upstream).once_it_answers();
    let mut others = vec![
        ("nginx", Server::nginx(&upstream).once_it_answers()),
        ("HAProxy", Server::haproxy(&upstream).once_it_answers()),
    ];
    let binary = std::env::var_os("ENVOY");
    let binary = binary.as_deref().map(std::path::Path::new);
    match binary {
        Some(binary) => others.push(("Envoy", envoy::plain(binary, &upstream).once_it_answers())),
        None => println!("without Envoy: ENVOY does not name its binary"),
    }
    println!("Median of {rounds} rounds (lowest to highest); the one / the other\n");
    for (name, other) in &others {
        compare(
            &format!("Halcyon / {name}"),
            [&halcyon, other],
            rounds,
            requests,
        );
    }
    if let (Some(binary), Some((_, plain))) = (binary, others.last()) {
        let filter = envoy::with_the_filter(binary, &upstream).once_it_answers();
        compare("filter / Envoy", [&filter, plain], rounds, requests);
        compare("Halcyon / filter", [&halcyon, &filter], rounds, requests);
    }
}

fn compare(what: &str, [one, other]: [&Server; 2], rounds: usize, requests: usize) {
    let asked = request("/");
    let mut ours = Load::new(one, &asked, 1);
    let mut theirs = Load::new(other, &asked, 1);
    ours.run(requests / 5);
    theirs.run(requests / 5);
    let mut spent: Vec<(Spent, Spent)> = Vec::new();
    for round in 0..rounds {
        // Whoever comes second has the other's heat and dust, so they swap.
        spent.push(if round % 2 == 0 {
            let one = ours.run(requests);
            (one, theirs.run(requests))
        } else {
            let two = theirs.run(requests);
            (ours.run(requests), two)
        });
    }
    let cpu: fn(&Spent) -> f64 = |spent| spent.cpu_us;
    let rate: fn(&Spent) -> f64 = |spent| spent.per_second;
    for (name, pick) in [("CPU per request, us", cpu), ("requests a second", rate)] {
        let ours = median(spent.iter().map(|(one, _)| pick(one)).collect());
        let theirs = median(spent.iter().map(|(_, two)| pick(two)).collect());
        let ratios = spent.iter().map(|(one, two)| pick(one) / pick(two));
        let mut ratios: Vec<f64> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let ratio = median(ratios);
        println!(
            "{what:<17} {name:<20} {ratio:.2} ({least:.2} to {most:.2})   {ours:.1} against {theirs:.1}"
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
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
