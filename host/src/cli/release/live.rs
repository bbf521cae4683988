//! The live view on a terminal: records as prose above, then the plan with the current step and the time
//! left, then a row a region.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::release::{Event, Phase, Release};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::style::{DIM, ERROR, GOOD, GREEN, WARN};
use crate::cli::{out, prose};
use crate::driver::{Doing, Observer, green_pool_of};
use crate::journal::Entry;

/// The live view.
pub(super) struct Live {
    bars: MultiProgress,
    plan: ProgressBar,
    until: Arc<Mutex<Option<Instant>>>,
    rows: Mutex<HashMap<String, ProgressBar>>,
    coloured: bool,
    /// Whether green pools have rows too.
    pools: bool,
}

impl Live {
    pub(super) fn there() -> Self {
        Self {
            pools: false,
            ..Self::new()
        }
    }

    pub(super) fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let until = Arc::new(Mutex::new(None));
        let plan = bars.add(ProgressBar::new_spinner());
        plan.set_style(plan_style(Arc::clone(&until)));
        Self {
            bars,
            plan,
            until,
            rows: Mutex::default(),
            // The bars' messages go past anstream, which decides this for everything else.
            coloured: anstream::AutoStream::choice(&std::io::stderr())
                != anstream::ColorChoice::Never,
            pools: true,
        }
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| out::tell(text));
    }

    /// A bar's message, without colour where there is to be none.
    fn painted(&self, text: String) -> String {
        if self.coloured {
            text
        } else {
            anstream::adapter::strip_str(&text).to_string()
        }
    }

    /// The row of a region, made at its first mention, in the plan's order; names padded to `width`.
    fn row(&self, region: &str, width: usize) -> ProgressBar {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(region.to_owned()).or_insert_with(|| {
            let row = self.bars.add(ProgressBar::new_spinner());
            row.set_style(
                ProgressStyle::with_template("  {prefix}  {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            row.set_prefix(format!("{:width$}", prose::short(region)));
            row
        });
        row.clone()
    }
}

fn plan_style(until: Arc<Mutex<Option<Instant>>>) -> ProgressStyle {
    let left = move |_: &ProgressState, text: &mut dyn Write| {
        let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            let left = until
                .saturating_duration_since(Instant::now())
                .as_millis()
                .div_ceil(1000);
            let _ = write!(text, "next in {}:{:02}", left / 60, left % 60);
        }
    };
    ProgressStyle::with_template("{spinner} {msg}  {left}")
        .map(|style| style.with_key("left", left))
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The plan in one line: ✓ passed, ! failed and went on, ▸ current, · to come or never reached.
fn plan_line(release: &Release) -> String {
    let Some(plan) = release.plan() else {
        return String::new();
    };
    let mut line = String::new();
    for weight in &plan.weights {
        let _ = match release.passed(*weight) {
            Some(true) => write!(line, "{GOOD}✓{weight}%{GOOD:#} "),
            Some(false) => write!(line, "{WARN}!{weight}%{WARN:#} "),
            None if release.step() == Some(*weight) => write!(line, "{GREEN}▸{weight}%{GREEN:#} "),
            None => write!(line, "{DIM}·{weight}%{DIM:#} "),
        };
    }
    let state = match (release.phase(), release.paused()) {
        (_, Some(why)) => format!("{WARN}paused: {}{WARN:#}", prose::short(why)),
        (Phase::RollbackInProgress, _) => format!("{ERROR}rolling back{ERROR:#}"),
        (Phase::GreenLive, _) => format!("{GOOD}live{GOOD:#}"),
        (Phase::Idle, _) => format!("{ERROR}rolled back{ERROR:#}"),
        (Phase::GreenProvisioned, _) => "green provisioned".to_owned(),
        (Phase::Canary, _) => {
            let place = release
                .step()
                .and_then(|step| plan.place(step))
                .unwrap_or(0);
            format!("step {place} of {}", plan.weights.len())
        }
    };
    format!("{line}→ promote   {state}")
}

impl Observer for Live {
    fn entry(&self, entry: &Entry) {
        // A failure that the plan tolerates has just been told as a warning.
        if !matches!(entry.record.event, Event::StepFailed { .. }) {
            self.print(&prose::line(&entry.record));
        }
    }

    fn state(&self, release: &Release, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        let regions = release
            .plan()
            .map(|plan| plan.regions.as_slice())
            .unwrap_or_default();
        let green = release.blue_pool().other();
        let rows = regions.iter().flat_map(|region| {
            let pool = region.pools.of(green).filter(|_| self.pools);
            let pool = pool.map(|_| green_pool_of(region));
            std::iter::once(region.name.clone()).chain(pool)
        });
        let rows: Vec<String> = rows.collect();
        let longest = rows
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0);
        for name in &rows {
            let row = self.row(name, longest.min(48));
            if row.message().is_empty() {
                row.set_message("waiting");
            }
        }
        self.plan.set_message(self.painted(plan_line(release)));
        if release.under_way() {
            self.plan.enable_steady_tick(Duration::from_millis(200));
        } else {
            self.plan.disable_steady_tick();
        }
        self.plan.tick();
    }

    fn region(&self, region: &str, doing: Doing) {
        let row = self.row(region, 0);
        let text = match doing {
            Doing::Smoke {
                result: Ok(took), ..
            } => format!(
                "{GOOD}ready{GOOD:#} {DIM}smoke test, {}{DIM:#}",
                took_text(took)
            ),
            Doing::Smoke {
                attempt,
                result: Err(why),
            } => {
                format!(
                    "{WARN}smoke test failed {attempt} of 3{WARN:#} {}",
                    prose::short(&why)
                )
            }
            Doing::Hook(change) => format!("{change} …"),
            Doing::Hooked(change, Ok(())) => format!("{GOOD}{change} done{GOOD:#}"),
            Doing::Hooked(change, Err(why)) => {
                format!("{ERROR}{change} failed{ERROR:#} {}", prose::short(&why))
            }
            Doing::Probe {
                round,
                result: Ok(took),
                ..
            } => {
                format!(
                    "{GOOD}ready{GOOD:#} {DIM}{round} probe(s), last {}{DIM:#}",
                    took_text(took)
                )
            }
            Doing::Probe {
                failures,
                result: Err(why),
                ..
            } => {
                format!(
                    "{ERROR}failing {failures} of 3{ERROR:#} {}",
                    prose::short(&why)
                )
            }
        };
        row.set_message(self.painted(text));
        row.tick();
    }

    fn seen(&self, region: &str, state: &str) {
        let row = self.row(region, 0);
        row.set_message(self.painted(format!("{DIM}{}{DIM:#}", prose::short(state))));
        row.tick();
    }

    fn warn(&self, text: &str) {
        self.print(&format!("{WARN}warning:{WARN:#} {}", prose::short(text)));
    }

    fn close(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.plan.abandon();
        for row in self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
        {
            row.abandon();
        }
    }
}

fn took_text(took: Duration) -> String {
    format!("{}.{} ms", took.as_millis(), took.as_micros() / 100 % 10)
}
