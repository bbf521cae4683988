//! The live view on a terminal: records as prose above, then the plan with the current step and the time
//! left, then a row a region.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::release::{Phase, Release};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::prose;
use crate::cli::style::{DIM, ERROR, GOOD, GREEN, NAME, WARN};
use crate::driver::{Doing, Observer};
use crate::journal::Entry;

/// The live view.
pub(super) struct Live {
    bars: MultiProgress,
    plan: ProgressBar,
    until: Arc<Mutex<Option<Instant>>>,
    rows: Mutex<HashMap<String, ProgressBar>>,
}

impl Live {
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
        }
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| anstream::println!("{text}"));
    }

    /// The row of a region, made at its first mention, in the plan's order.
    fn row(&self, region: &str) -> ProgressBar {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(region.to_owned()).or_insert_with(|| {
            let row = self.bars.add(ProgressBar::new_spinner());
            row.set_style(
                ProgressStyle::with_template("  {prefix:20} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            row.set_prefix(prose::short(region));
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

/// The plan in one line: ✓ done, ▸ current, · to come.
fn plan_line(release: &Release) -> String {
    let Some(plan) = release.plan() else {
        return String::new();
    };
    let mut line = String::new();
    for weight in &plan.weights {
        let _ = match (release.phase(), release.step()) {
            (Phase::GreenLive, _) => write!(line, "{GOOD}✓{weight}%{GOOD:#} "),
            (Phase::Canary, Some(step)) if *weight < step => {
                write!(line, "{GOOD}✓{weight}%{GOOD:#} ")
            }
            (Phase::Canary, Some(step)) if *weight == step => {
                write!(line, "{GREEN}▸{weight}%{GREEN:#} ")
            }
            _ => write!(line, "{DIM}·{weight}%{DIM:#} "),
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
    format!("{NAME}{line}{NAME:#}→ promote   {state}")
}

impl Observer for Live {
    fn entry(&self, entry: &Entry) {
        self.print(&prose::line(&entry.record));
    }

    fn state(&self, release: &Release, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        for region in release.plan().iter().flat_map(|plan| &plan.regions) {
            let row = self.row(&region.name);
            if row.message().is_empty() {
                row.set_message("waiting");
            }
        }
        self.plan.set_message(plan_line(release));
        if release.under_way() {
            self.plan.enable_steady_tick(Duration::from_millis(200));
        } else {
            self.plan.disable_steady_tick();
        }
        self.plan.tick();
    }

    fn region(&self, region: &str, doing: Doing) {
        let row = self.row(region);
        row.set_message(match doing {
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
        });
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
