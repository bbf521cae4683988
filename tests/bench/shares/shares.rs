//! What a canary's weight is worth: the share of tenants and of requests on green, step by step.

use std::time::Duration;

use tempfile::TempDir;

use super::ask::{Seen, ask};
use super::edge::{Edge, Table};
use super::flagger::Flagger;
use super::haproxy::{Haproxy, Way};
use super::upstream::Pool;

/// The weights, in percent, before the rollback to 0.
const STEPS: [u8; 4] = [2, 10, 25, 50];

/// Something that sends a share of tenants to green.
pub(super) trait System {
    fn name(&self) -> &'static str;

    /// Another release begins, with nobody on green.
    fn release(&mut self, id: &str);

    /// From now on green has so many percent.
    fn weigh(&mut self, weight: u8);

    /// So many requests of each tenant.
    fn ask(&mut self, tenants: &[String], times: usize) -> Vec<Seen>;
}

struct Halcyon {
    edge: Edge,
    table: Table,
    release: String,
    pools: [Pool; 2],
    _folder: TempDir,
}

impl Halcyon {
    fn start() -> Self {
        let folder = TempDir::new().expect("a directory");
        let pools = pools();
        let mut table = Table::new(folder.path());
        table.write(&[("here", "up", &pools)], "r1", 0);
        Self {
            edge: Edge::start(&table.path, 0, &[("DRAIN_MS", "0")]),
            table,
            release: "r1".into(),
            pools,
            _folder: folder,
        }
    }
}

impl System for Halcyon {
    fn name(&self) -> &'static str {
        "Halcyon"
    }

    fn release(&mut self, id: &str) {
        self.release = id.into();
    }

    fn weigh(&mut self, weight: u8) {
        let regions = [("here", "up", &self.pools)];
        self.table.write(&regions, &self.release, weight);
        self.edge.holds(self.table.epoch);
    }

    fn ask(&mut self, tenants: &[String], times: usize) -> Vec<Seen> {
        ask(self.edge.address, tenants, times)
    }
}

fn pools() -> [Pool; 2] {
    ["blue", "green"].map(|colour| Pool::start(colour, Duration::ZERO))
}

/// What became of one release.
struct Outcome {
    /// Of each step: the tenants that green answered last, and the requests that it answered.
    steps: Vec<(usize, usize)>,
    /// Tenants that were on green and then on blue while the weight rose, added up over the steps.
    back: usize,
    /// Tenants that saw both colours within one step, added up.
    both: usize,
    /// Requests on green after the rollback.
    after: usize,
    /// Of the tenants on green in the next release's first step, how many were in this one's.
    again: (usize, usize),
}

fn run(system: &mut dyn System, tenants: &[String], times: usize, id: usize) -> Outcome {
    system.release(&format!("r{id}"));
    let (mut steps, mut back, mut both) = (Vec::new(), 0, 0);
    let mut before = vec![Seen::default(); tenants.len()];
    let mut first = Vec::new();
    for weight in STEPS {
        system.weigh(weight);
        let seen = system.ask(tenants, times);
        let pairs = before.iter().zip(&seen);
        back += pairs.filter(|(was, is)| was.at_last && !is.at_last).count();
        both += seen
            .iter()
            .filter(|one| (1..times).contains(&one.green))
            .count();
        let on_green = seen.iter().filter(|one| one.at_last).count();
        steps.push((on_green, seen.iter().map(|one| one.green).sum()));
        if first.is_empty() {
            first.clone_from(&seen);
        }
        before = seen;
    }
    system.weigh(0);
    let seen = system.ask(tenants, times);
    let after = seen.iter().map(|one| one.green).sum();
    system.release(&format!("r{}", id + 1));
    system.weigh(STEPS[0]);
    let next = system.ask(tenants, times);
    system.weigh(0);
    let drawn = first.iter().zip(&next).filter(|(_, next)| next.at_last);
    let again = drawn.clone().filter(|(first, _)| first.at_last).count();
    Outcome {
        steps,
        back,
        both,
        after,
        again: (again, drawn.count()),
    }
}

/// Three standard deviations of a share among so many tenants, in percent.
fn bound(weight: u8, tenants: usize) -> f64 {
    let p = f64::from(weight) / 100.0;
    300.0 * (p * (1.0 - p) / tenants as f64).sqrt()
}

/// Prints what happens to these tenants. What is wrong with Halcyon, a line each.
pub(super) fn measure(tenants: usize) -> Vec<String> {
    let pools = pools();
    let mut systems: Vec<Box<dyn System>> = vec![Box::new(Halcyon::start())];
    for way in [Way::Map, Way::Ring] {
        match Haproxy::start(way, &pools) {
            Some(haproxy) => systems.push(Box::new(haproxy)),
            None => println!("without HAProxy ({way:?}): it is not installed"),
        }
    }
    systems.push(Box::new(Flagger::new()));
    let mut wrong = Vec::new();
    // The same number of requests both times.
    for (id, (tenants, times)) in [(1, (tenants, 1)), (11, (tenants / 10, 10))] {
        let names: Vec<String> = (0..tenants).map(|n| format!("tenant{n}")).collect();
        println!("\n{tenants} tenants, {times} request(s) each a step; in percent");
        let wanted = STEPS.map(|weight| format!("{weight} ± {:.2}", bound(weight, tenants)));
        println!(
            "{:<30} {} | moved back | saw both | green after rollback | first again in the next release",
            "to be within 3 sigma",
            wanted.map(|text| format!("{text:>16}")).join(" ")
        );
        for system in &mut systems {
            let outcome = run(system.as_mut(), &names, times, id);
            println!("{}", line(system.name(), &outcome, tenants, times));
            if system.name() == "Halcyon" {
                wrong.extend(problems(&outcome, tenants, times));
            }
        }
    }
    wrong
}

fn line(name: &str, outcome: &Outcome, tenants: usize, times: usize) -> String {
    let shares = outcome.steps.iter().map(|(on_green, requests)| {
        let share = 100.0 * *on_green as f64 / tenants as f64;
        let of_requests = 100.0 * *requests as f64 / (tenants * times) as f64;
        match times {
            1 => format!("{share:>16.2}"),
            _ => format!("{:>16}", format!("{share:.2} ({of_requests:.2})")),
        }
    });
    let shares: Vec<String> = shares.collect();
    let (again, drawn) = outcome.again;
    format!(
        "{name:<30} {} | {:>10} | {:>8} | {:>20} | {again} of {drawn}",
        shares.join(" "),
        outcome.back,
        outcome.both,
        outcome.after
    )
}

/// What Halcyon must not do.
fn problems(outcome: &Outcome, tenants: usize, times: usize) -> Vec<String> {
    let mut problems = Vec::new();
    for (weight, (on_green, requests)) in STEPS.into_iter().zip(&outcome.steps) {
        let share = 100.0 * *on_green as f64 / tenants as f64;
        if (share - f64::from(weight)).abs() > bound(weight, tenants) {
            problems.push(format!("{share:.2} % of tenants on green at {weight} %"));
        }
        if *requests != on_green * times {
            problems.push(format!("a tenant saw both colours at {weight} %"));
        }
    }
    if outcome.back > 0 {
        problems.push(format!("{} tenants moved back to blue", outcome.back));
    }
    if outcome.after > 0 {
        problems.push(format!(
            "{} requests on green after the rollback",
            outcome.after
        ));
    }
    problems
}
