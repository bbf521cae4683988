//! What a round has shown, and what all of them come to.

use std::time::Duration;

use super::FRONTS;

pub(super) struct Round {
    /// From the loss to the table that says so.
    pub(super) table: Duration,
    /// From the return to the table that says so.
    pub(super) table_back: Duration,
    pub(super) fronts: Vec<Front>,
}

/// One front in one round.
pub(super) struct Front {
    /// From the loss until it holds that the region is down.
    pub(super) held: Duration,
    /// From the loss to the last request that it sent there.
    pub(super) last: Duration,
    /// How many it sent there since the loss, first and second tries.
    pub(super) sent: u64,
    /// Of those asked since the loss: GET, POST.
    pub(super) failed: [usize; 2],
    /// From the return to the first request that it sent there.
    pub(super) back: Duration,
}

pub(super) struct Figures(Vec<Round>);

impl Figures {
    pub(super) fn of(rounds: Vec<Round>) -> Self {
        Self(rounds)
    }

    /// As a table, each figure beside HAProxy's of the same rounds.
    pub(super) fn print(&self) {
        println!("| from the loss to | ms | / HAProxy |\n|---|---|---|");
        self.row("HAProxy: marked down", |round| round.fronts[0].held, None);
        let marked: Pick = |round| round.fronts[0].held;
        self.row(
            "control plane: table changed",
            |round| round.table,
            Some(marked),
        );
        let holds: [Pick; 2] = [|round| round.fronts[1].held, |round| round.fronts[2].held];
        let last: [Pick; 3] = [
            |round| round.fronts[0].last,
            |round| round.fronts[1].last,
            |round| round.fronts[2].last,
        ];
        let back: [Pick; 3] = [
            |round| round.fronts[0].back,
            |round| round.fronts[1].back,
            |round| round.fronts[2].back,
        ];
        for (holds, name) in holds.into_iter().zip(&FRONTS[1..]) {
            self.row(&format!("{name}: table held"), holds, Some(marked));
        }
        for (front, name) in FRONTS.iter().enumerate() {
            let beside = (front > 0).then_some(last[0]);
            self.row(&format!("{name}: last request there"), last[front], beside);
        }
        println!("| **from the return to** | | |");
        self.row(
            "control plane: table changed",
            |round| round.table_back,
            None,
        );
        for (front, name) in FRONTS.iter().enumerate() {
            let beside = (front > 0).then_some(back[0]);
            self.row(&format!("{name}: first request there"), back[front], beside);
        }
        println!("| **sent there in a round; failed: GET, POST** | | |");
        for (front, name) in FRONTS.iter().enumerate() {
            let of = |method: usize| {
                let rounds = self.0.iter();
                let mut all: Vec<usize> = rounds
                    .map(|round| round.fronts[front].failed[method])
                    .collect();
                all.sort_unstable();
                format!("{} ({})", all[all.len() / 2], all[all.len() - 1])
            };
            let rounds = self.0.iter().map(|round| round.fronts[front].sent);
            let mut sent: Vec<u64> = rounds.collect();
            sent.sort_unstable();
            let (usual, most) = (sent[sent.len() / 2], sent[sent.len() - 1]);
            println!("| {name} | {usual} ({most}); {}, {} | |", of(0), of(1));
        }
    }

    fn row(&self, name: &str, pick: Pick, beside: Option<Pick>) {
        let ms = |pick: Pick| {
            let rounds = self.0.iter();
            let all: Vec<f64> = rounds
                .map(|round| pick(round).as_secs_f64() * 1e3)
                .collect();
            all
        };
        let own = ms(pick);
        let ratio = beside.map(|beside| median(&own) / median(&ms(beside)).max(1.0));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let longest = own.iter().copied().fold(0.0, f64::max);
        println!("| {name} | {:.0} ({longest:.0}) | {ratio} |", median(&own));
    }
}

type Pick = fn(&Round) -> Duration;

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
