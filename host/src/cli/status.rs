//! `halcyon status`: the release under way.

use std::fmt::Write;
use std::time::{Duration, Instant};

use halcyon_core::ledger::StatusReport;
use halcyon_core::release::{Phase, Release, Step};

use super::control::StoreArgs;
use super::release::{Runtime, parse_deadline, runtime};
use super::remote::{self, History, Missing};
use super::style::{BLUE, DIM, GREEN, NAME, WARN};
use super::{Exit, Failure, Invocation, Output, prose};
use crate::clock;
use crate::journal::{Entry, Journal, driver_alive};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on showing it at every change, until Ctrl-C or until --until is so
    #[arg(long)]
    watch: bool,
    /// Wait until the state is this one: idle, green_provisioned, canary, green_live or
    /// rollback_in_progress. Exit 3 if a release that was under way is rolled back instead
    #[arg(long, value_name = "STATE", allow_hyphen_values = true)]
    until: Option<String>,
    /// Give up after this long, such as 90s, 30m or 2h; exit 124
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    deadline: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Where the state is read from.
enum Source {
    /// The journal of this machine.
    Here(Box<Journal>),
    /// A control plane.
    There(Runtime, Box<History>),
}

impl Source {
    fn release(&self) -> &Release {
        match self {
            Source::Here(journal) => journal.release(),
            Source::There(_, history) => history.ledger().release(),
        }
    }

    fn report(&self) -> StatusReport {
        match self {
            Source::Here(journal) => journal.ledger().status(driver_alive(journal.dir())),
            Source::There(_, history) => history.report(),
        }
    }

    /// What green's traffic says of the step in force, where somebody knows that.
    fn traffic(&self) -> Option<&str> {
        match self {
            Source::Here(_) => None,
            Source::There(_, history) => history.traffic(),
        }
    }

    /// What a control plane says besides: who has stopped everything automatic, and why a rollback does not end.
    fn held_up(&self) -> (Option<(&str, &str)>, Option<&str>) {
        match self {
            Source::Here(_) => (None, None),
            Source::There(_, history) => (history.freeze(), history.stuck()),
        }
    }

    fn place(&self) -> String {
        match self {
            Source::Here(journal) => prose::short(&journal.dir().display().to_string()),
            Source::There(_, history) => history.place(),
        }
    }

    /// Waits a moment, and reads what is new: the state after each record. A control plane that does not answer
    /// may do so later.
    fn wait(&mut self, invocation: &Invocation) -> Result<Vec<Phase>, Failure> {
        let states = |entries: Vec<Entry>| entries.iter().map(|entry| entry.record.state).collect();
        match self {
            Source::Here(journal) => {
                std::thread::sleep(Duration::from_millis(100));
                return Ok(states(journal.refresh()?));
            }
            Source::There(runtime, history) => {
                std::thread::sleep(Duration::from_millis(300));
                let read = runtime.block_on(async { Ok(history.refresh().await) })?;
                match read {
                    Ok(entries) => {
                        history.found();
                        return Ok(states(entries));
                    }
                    Err(Missing::Unreachable(failure)) if history.missed() => {
                        let why = failure.problems.join("; ");
                        invocation.warn(&format!("{why}; trying again"));
                    }
                    Err(Missing::Unreachable(_)) => {}
                    Err(Missing::Lost(failure)) => return Err(failure),
                }
            }
        }
        Ok(Vec::new())
    }
}

/// Shows the state once, or until.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut problems = Vec::new();
    let until = args
        .until
        .as_deref()
        .map(Phase::parse)
        .transpose()
        .unwrap_or_else(|why| {
            problems.push(format!("--until: {why}"));
            None
        });
    let patience = args
        .deadline
        .as_deref()
        .map(parse_deadline)
        .transpose()
        .unwrap_or_else(|why| {
            problems.push(why);
            None
        });
    if args.watch && invocation.output == Output::Json {
        problems.push(
            "--watch: has no end, and json is one document; allowed: -o human, -o jsonl".to_owned(),
        );
    }
    if patience.is_some() && until.is_none() && !args.watch && problems.is_empty() {
        problems.push("--deadline: needs --until or --watch".to_owned());
    }
    let invocation = &args.store.over(invocation).over_server();
    let settings = invocation.settings_of_store();
    if !problems.is_empty() {
        problems.extend(
            settings
                .err()
                .map(|failure| failure.problems)
                .unwrap_or_default(),
        );
        return Err(Failure::usage(problems));
    }
    let settings = settings?;
    let mut source = match remote::server(invocation, None)? {
        Some(api) => {
            let runtime = runtime()?;
            let history = runtime.block_on(History::read(api))?;
            Source::There(runtime, Box::new(history))
        }
        None => Source::Here(Box::new(Journal::open(settings.store_dir)?)),
    };
    let begin = Instant::now();
    let mut shown: Option<StatusReport> = None;
    let mut was_under_way = false;
    // Several may pass between two looks.
    let mut passed = Vec::new();
    loop {
        let answer = source.report();
        let reached =
            until.is_none_or(|phase| phase == answer.status.state || passed.contains(&phase));
        was_under_way |= passed
            .iter()
            .any(|phase| !matches!(phase, Phase::Idle | Phase::GreenLive));
        let last = reached && !(args.watch && until.is_none());
        if (args.watch || last) && shown.as_ref() != Some(&answer) {
            invocation.answer(|| human(&answer, &source), &answer)?;
        }
        if last {
            return Ok(Exit::Done);
        }
        if was_under_way && !answer.status.under_way && until.is_some() {
            let exit = if answer.status.state == Phase::Idle {
                Exit::RolledBack
            } else {
                Exit::Failed
            };
            return Err(Failure::new(
                exit,
                format!("the release ended in state {}", answer.status.state),
            ));
        }
        was_under_way = answer.status.under_way;
        shown = Some(answer);
        if patience.is_some_and(|patience| begin.elapsed() >= patience) {
            return Err(Failure::new(
                Exit::DeadlineRanOut,
                format!("--deadline ran out in state {}", source.release().phase()),
            ));
        }
        passed = source.wait(invocation)?;
    }
}

fn human(answer: &StatusReport, source: &Source) -> String {
    let (release, status) = (source.release(), &answer.status);
    let mut text = String::new();
    let image = |image: &Option<String>| image.as_deref().map_or("-".to_owned(), prose::short);
    let _ = writeln!(text, "state     {NAME}{}{NAME:#}", status.state);
    let _ = writeln!(
        text,
        "{BLUE}blue{BLUE:#}      {:>3} %  {}",
        status.traffic_split.blue,
        image(&status.blue_image)
    );
    let _ = writeln!(
        text,
        "{GREEN}green{GREEN:#}     {:>3} %  {}",
        status.traffic_split.green,
        image(&status.green_image)
    );
    if let Some(former) = &status.former_blue {
        let _ = writeln!(
            text,
            "back to   {}  {DIM}(halcyon rollback){DIM:#}",
            prose::short(former)
        );
    }
    if let Some(id) = &status.release_id {
        let _ = writeln!(text, "release   {}", prose::short(id));
    }
    if let (Some(reason), Some(image)) = (&status.reason, &status.former_green) {
        let (reason, image) = (prose::short(reason), prose::short(image));
        let how = status.ended_at.map_or("is rolled back".to_owned(), |at| {
            format!("was rolled back at {at}")
        });
        let _ = writeln!(text, "{WARN}outcome{WARN:#}   {image} {how}: {reason}");
    } else if let Some(at) = status.ended_at {
        let _ = writeln!(text, "outcome   promoted at {at}");
    }
    let waiting: Vec<_> = release
        .unconfirmed()
        .map(|region| prose::short(&region.name))
        .collect();
    if status.under_way {
        let step = match (status.step, status.state) {
            (Some(step), _) => format!("{step} of {}", status.steps.len()),
            (None, Phase::RollbackInProgress) => "rolling back".to_owned(),
            (None, _) => "before the first".to_owned(),
        };
        let _ = writeln!(
            text,
            "steps     {} %  ({step})",
            prose::weights(&status.steps)
        );
        let regions: Vec<_> = status
            .regions
            .iter()
            .map(|region| prose::short(region))
            .collect();
        let _ = writeln!(text, "regions   {}", regions.join(", "));
        if let Some(at) = status.next_deadline {
            let left = prose::seconds(at.since(clock::now()));
            let what = if matches!(release.next_step(), Step::Bake { .. }) {
                "next in"
            } else {
                "over in"
            };
            let _ = writeln!(text, "{what}   {left}");
        }
        if let Some(why) = source.traffic() {
            let _ = writeln!(text, "traffic   {}", prose::short(why));
        }
        if let Some(reason) = &status.paused {
            let _ = writeln!(
                text,
                "{WARN}paused{WARN:#}    {}  {DIM}(halcyon resume){DIM:#}",
                prose::short(reason)
            );
        }
    }
    if !waiting.is_empty() {
        let _ = writeln!(text, "waiting   for {}", waiting.join(", "));
    }
    let (freeze, stuck) = source.held_up();
    if let Some((user, reason)) = freeze {
        let (user, reason) = (prose::short(user), prose::short(reason));
        let _ = writeln!(
            text,
            "{WARN}frozen{WARN:#}    by {user}: {reason}  {DIM}(halcyon unfreeze){DIM:#}"
        );
    }
    if let Source::There(_, history) = source {
        for (region, word) in history.words() {
            let (region, word) = (prose::short(region), word.human());
            let _ = writeln!(
                text,
                "{WARN}region{WARN:#}    {region} is {word}  {DIM}(halcyon undrain {region}){DIM:#}"
            );
        }
    }
    if let Some(why) = stuck {
        let why = prose::short(why);
        let _ = writeln!(
            text,
            "{WARN}stuck{WARN:#}     {why}  {DIM}(the server goes on trying){DIM:#}"
        );
    }
    let by_server = release.plan().is_some_and(|plan| plan.by_server);
    let drives = answer.driver || stuck.is_some();
    if !drives && by_server && (status.under_way || !waiting.is_empty()) {
        // Whoever took it from a server that is frozen would go round the freeze.
        let _ = writeln!(
            text,
            "{WARN}driver{WARN:#}    none  {DIM}(it is a server's to drive){DIM:#}"
        );
    } else if !drives && (status.under_way || !waiting.is_empty()) {
        // There it would only watch.
        let beside = match source {
            Source::Here(_) => "",
            Source::There(..) => " beside its journal, if it is a command line's",
        };
        let _ = writeln!(
            text,
            "{WARN}driver{WARN:#}    none  {DIM}(halcyon release --resume{beside}){DIM:#}"
        );
    }
    if answer.audit_head.starts_with("0:") {
        let _ = writeln!(
            text,
            "store     {}  {DIM}(no record there yet){DIM:#}",
            source.place()
        );
    }
    let _ = writeln!(text, "audit     {DIM}{}{DIM:#}", answer.audit_head);
    text
}
