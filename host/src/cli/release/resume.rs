//! `halcyon release --resume`: the rest of a release, from the journal alone.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use halcyon_core::release::{Command, Context, Phase, Rejection, Step};

use super::args::{Args, parse_deadline};
use super::{HOOK_TIMEOUT, client, conclude, drive, runtime, show};
use crate::cli::settle::{driver, heard};
use crate::cli::{Exit, Failure, Invocation, remote};
use crate::clock;
use crate::driver::{End, end_of};
use crate::journal::{DriverLock, Holder, Journal, JournalError};

/// Goes on with the release under way, from the journal alone; with a control plane, watches it there.
pub(super) fn run(args: &Args, invocation: &Invocation) -> Result<Exit, Failure> {
    if let Some(api) = remote::server(invocation, args.ca_file.as_deref())? {
        let deadline = args.deadline.as_deref().map(parse_deadline).transpose();
        let deadline = deadline.map_err(|why| Failure::usage(vec![why]))?;
        return runtime()?.block_on(remote::resumed(api, deadline, invocation));
    }
    let settings = invocation.settings();
    let deadline = args.deadline.as_deref().map(parse_deadline).transpose();
    let (settings, deadline) = match (settings, deadline) {
        (Ok(settings), Ok(deadline)) => (settings, deadline),
        (settings, deadline) => {
            let rest = settings
                .err()
                .map(|failure| failure.problems)
                .unwrap_or_default();
            return Err(Failure::usage(
                deadline.err().into_iter().chain(rest).collect(),
            ));
        }
    };
    let client = client(args.ca_file.as_deref())?;
    let mut journal = Journal::open(PathBuf::from(&settings.store_dir))?;
    let actor = &settings.actor;
    let context = Context {
        actor,
        kill_switch: settings.features.kill_switch(),
        new_release_id: "",
    };
    let observer = show::observer(invocation);
    if actor.authorise().is_err() {
        // Refused before anything else, and recorded.
        show::append(
            &mut journal,
            &Command::AttachDriver,
            &context,
            &*observer,
            invocation,
        )?;
    }
    let release = journal.release();
    if !release.under_way() && release.next_step() == Step::Rest {
        return report_the_last(&journal, invocation);
    }
    if release.plan().is_none() {
        return Err(Failure::new(
            Exit::Refused,
            "the release under way has no plan to go on with",
        )
        .hint("`halcyon promote` or `halcyon rollback --reason …` ends it."));
    }
    if context.kill_switch && release.phase() != Phase::RollbackInProgress {
        let words = "go on with the release";
        return Err(JournalError::Refused(Rejection::KillSwitch { words }).into());
    }
    let Some(_lock) = DriverLock::try_acquire(journal.dir())? else {
        let holder = Holder::name(DriverLock::holder(journal.dir()));
        return Err(Failure::new(Exit::Refused, format!("{holder} drives this release already"))
            .hint("`halcyon status --watch` shows it; `halcyon pause`, `promote` and `rollback` steer it."));
    };
    let runtime = runtime()?;
    let signals = runtime.block_on(async { heard() })?;
    show::append(
        &mut journal,
        &Command::AttachDriver,
        &context,
        &*observer,
        invocation,
    )?;
    let left = journal
        .release()
        .plan()
        .and_then(|plan| plan.deadline)
        .map(|at| at.since(clock::now()));
    let end = runtime.block_on(async {
        let mut driver = driver(journal, &settings, client, HOOK_TIMEOUT, observer, signals);
        // A deadline that has passed held the release once; who resumes it has decided to go on.
        let left = left.filter(|ms| *ms > 0).map(Duration::from_millis);
        driver.deadline = deadline.or(left).map(|patience| Instant::now() + patience);
        drive(&mut driver, invocation).await
    })?;
    conclude(end, invocation)
}

/// Nothing is under way: says how the last release ended.
fn report_the_last(journal: &Journal, invocation: &Invocation) -> Result<Exit, Failure> {
    match end_of(journal.release()) {
        End::Nothing => Err(Failure::new(
            Exit::Usage,
            "--resume: there has never been a release in this store",
        )),
        end => {
            invocation.say("nothing is under way; this is how the last release ended:");
            show::outcome(journal.ledger(), invocation)?;
            conclude((end, None), invocation)
        }
    }
}
