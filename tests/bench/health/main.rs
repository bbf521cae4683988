//! `cargo bench --bench health`: the health server beside nginx answering `return 200`, in one run.
//!
//! Both are pinned to one core and asked from another. What is compared is CPU time, round by round in
//! turn, as the machine's other work distorts that least; the median of the rounds' ratios counts.

mod crowd;
mod load;
mod peers;

use std::time::{Duration, Instant};

use load::{Load, Spent};
use peers::Server;

/// What a plain client sends.
fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
}

fn main() {
    // `cargo test --benches` passes --test: then everything once, briefly.
    let whole = std::env::args().any(|arg| arg == "--bench");
    let (rounds, requests) = if whole { (21, 20_000) } else { (1, 320) };
    load::pin_this_thread();
    println!("Median of {rounds} rounds (lowest to highest); Halcyon / nginx\n");

    let (halcyon, nginx) = (Server::halcyon(), Server::nginx());
    for (what, path, depth) in [
        ("/health", "/health", 1),
        ("/ready", "/ready", 1),
        ("/health, 16 pipelined", "/health", 16),
        ("/ready, 16 pipelined", "/ready", 16),
    ] {
        let mut ours = Load::new(&halcyon, &request(path), depth);
        let mut theirs = Load::new(&nginx, &request("/health"), depth);
        ours.run(requests / 10);
        theirs.run(requests / 10);
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
        let of = |pick: fn(&Spent) -> f64| {
            let (ours, theirs) = (
                spent.iter().map(|(one, _)| pick(one)).collect(),
                spent.iter().map(|(_, two)| pick(two)).collect(),
            );
            let ratios = spent.iter().map(|(one, two)| pick(one) / pick(two));
            (median(ours), median(theirs), Spread::of(ratios.collect()))
        };
        let (ours, theirs, ratio) = of(|spent| spent.cpu_us);
        println!("{what:<24} CPU per request   {ratio}   {ours:.2} us against {theirs:.2} us");
        let (ours, theirs, ratio) = of(|spent| spent.per_second);
        println!("{what:<24} requests a second {ratio}   {ours:.0} against {theirs:.0}");
    }
    println!(
        "\nresident after that       {:.1} MB against {:.1} MB (nginx: master and worker)",
        halcyon.resident_mb(),
        nginx.resident_mb()
    );
    drop((halcyon, nginx));

    let starts: Vec<(f64, f64)> = (0..rounds)
        .map(|_| {
            (
                first_answer(Server::halcyon_at),
                first_answer(Server::nginx_at),
            )
        })
        .collect();
    let ratio = Spread::of(starts.iter().map(|(one, two)| one / two).collect());
    let (ours, theirs) = starts.into_iter().unzip();
    println!(
        "start to the first 200    {ratio}   {:.1} ms against {:.1} ms",
        median(ours),
        median(theirs)
    );

    let crowds = if whole { (1000, 5000, 4) } else { (10, 50, 1) };
    println!(
        "\n{} slow and {} idle clients beside good ones",
        crowds.0, crowds.1
    );
    crowd::print("Halcyon", Server::halcyon(), crowds);
    crowd::print("nginx", Server::nginx(), crowds);
}

/// Milliseconds from starting a server to its first answer.
fn first_answer(start: fn(u16) -> Server) -> f64 {
    let port = load::free_port();
    let begin = Instant::now();
    let server = start(port);
    loop {
        if load::answers(server.address()) {
            return begin.elapsed().as_secs_f64() * 1e3;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "no answer within 10 s"
        );
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The median of some ratios, and how far they lie apart.
struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self {
            median: ratios[ratios.len() / 2],
            lowest: ratios[0],
            highest: ratios[ratios.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            lowest,
            highest,
        } = self;
        write!(f, "{median:>6.2}  ({lowest:.2} to {highest:.2})")
    }
}
