//! `halcyon release`: a whole blue/green release, or the rest of one.

mod args;
mod dry_run;
mod live;
pub(super) mod show;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use halcyon_core::release::{Command, Context};
use halcyon_core::text::Seen;
use halcyon_core::time::Timestamp;

use args::Wish;
pub(super) use args::{Args, parse_deadline};

use super::control::under_way;
use super::settle::driver;
use super::{Exit, Failure, Invocation, Output};
use crate::clock;
use crate::driver::{Cause, Driver, End, end_of};
use crate::journal::{DriverLock, Journal};
use crate::net::Client;

/// How long one run of a step hook may take.
pub(super) const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

const GO_ON: &str =
    "`halcyon release --resume` goes on with it, `halcyon rollback --reason …` ends it.";

/// Runs it.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &invocation.with(&[
        ("HALCYON_STORE", args.store.clone()),
        ("HEALTH_PORT", args.health_port.clone()),
    ]);
    if args.resume {
        return resume(&args, invocation);
    }
    let (wish, settings) = Wish::read(&args, invocation)?;
    let client = client(args.ca_file.as_deref())?;
    if args.dry_run {
        return runtime()?.block_on(dry_run::run(&wish, &settings, client, invocation));
    }
    let runtime = runtime()?;
    let mut journal = Journal::open(PathBuf::from(&settings.store_dir))?;
    let blue = blue_image(&wish, &journal, invocation)?;
    let command = Command::ProvisionGreen {
        image: wish.image_green.clone(),
        blue_image: blue,
        plan: Some(wish.plan.clone()),
    };
    let new_release_id = new_release_id(clock::now());
    let context = Context {
        actor: &settings.actor,
        kill_switch: settings.features.kill_switch(),
        new_release_id: &new_release_id,
    };
    if let Err(refused) = journal.release().decide(&command, &context) {
        // Appending decides again on the newest state, and records a refusal that is to be recorded.
        journal
            .append(&command, &context, None, clock::now())
            .map_err(|error| under_way(error, GO_ON))?;
        return Err(under_way(refused.into(), GO_ON));
    }
    let Some(_lock) = DriverLock::try_acquire(journal.dir())? else {
        return Err(Failure::new(
            Exit::Refused,
            "another process drives a release in this store",
        )
        .hint("`halcyon status` shows it."));
    };
    let observer = show::observer(invocation);
    let entries = journal
        .append(&command, &context, None, clock::now())
        .map_err(|error| under_way(error, GO_ON))?;
    entries.iter().for_each(|entry| observer.entry(entry));
    let end = runtime.block_on(async {
        let mut driver = driver(journal, &settings, client, HOOK_TIMEOUT, observer).await?;
        driver.deadline = wish.deadline.map(|patience| Instant::now() + patience);
        drive(&mut driver, invocation).await
    })?;
    conclude(end, invocation)
}

/// Goes on with the release under way, from the journal alone.
fn resume(args: &Args, invocation: &Invocation) -> Result<Exit, Failure> {
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
    if actor.authorise().is_err() {
        journal.append(&Command::AttachDriver, &context, None, clock::now())?;
    }
    let attach = journal.release().decide(&Command::AttachDriver, &context);
    let over = !journal.release().under_way()
        && journal.release().next_step() == halcyon_core::release::Step::Rest;
    if over && attach.is_ok()
        || end_of(journal.release()) == End::Nothing
        || matches!(attach, Err(halcyon_core::release::Rejection::State { .. }))
    {
        return report_the_last(&journal, invocation);
    }
    if journal.release().plan().is_none() && journal.release().under_way() {
        return Err(Failure::new(
            Exit::Refused,
            "the release under way has no plan to go on with",
        )
        .hint("`halcyon promote` or `halcyon rollback --reason …` ends it."));
    }
    let raises = journal.release().phase() != halcyon_core::release::Phase::RollbackInProgress;
    if raises && context.kill_switch && actor.authorise().is_ok() {
        let words = "go on with the release";
        return Err(crate::journal::JournalError::Refused(
            halcyon_core::release::Rejection::KillSwitch { words },
        )
        .into());
    }
    let lock = DriverLock::try_acquire(journal.dir())?;
    if lock.is_none() && actor.authorise().is_ok() {
        return Err(Failure::new(Exit::Refused, "another process drives this release already")
            .hint("`halcyon status --watch` shows it; `halcyon pause`, `promote` and `rollback` steer it."));
    }
    let observer = show::observer(invocation);
    let entries = journal.append(&Command::AttachDriver, &context, None, clock::now())?;
    entries.iter().for_each(|entry| observer.entry(entry));
    let left = journal
        .release()
        .plan()
        .and_then(|plan| plan.deadline)
        .map(|at| at.since(clock::now()));
    let end = runtime()?.block_on(async {
        let mut driver = driver(journal, &settings, client, HOOK_TIMEOUT, observer).await?;
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
            show::outcome(journal, invocation)?;
            conclude((end, None), invocation)
        }
    }
}

async fn drive(
    driver: &mut Driver,
    invocation: &Invocation,
) -> Result<(End, Option<Cause>), Failure> {
    let end = driver.run().await?;
    driver.observer.close();
    show::outcome(&driver.journal, invocation)?;
    Ok(end)
}

fn conclude((end, cause): (End, Option<Cause>), invocation: &Invocation) -> Result<Exit, Failure> {
    if let End::RollbackIncomplete(why) = &end {
        return Err(Failure::new(
            Exit::RollbackIncomplete,
            format!("rollback incomplete: {why}"),
        )
        .hint("Mend what failed, then `halcyon rollback --reason …` tries again."));
    }
    if end == End::Held {
        invocation.say("the release holds where it is; `halcyon release --resume` goes on");
    }
    Ok(match (cause, end) {
        (Some(Cause::Deadline), _) => {
            return Err(Failure::new(Exit::DeadlineRanOut, "--deadline ran out"));
        }
        (Some(Cause::Signal(signal)), _) => Exit::Signalled(signal.exit_code()),
        (None, End::Promoted) => Exit::Done,
        // A person has just read why.
        (None, End::RolledBack(_))
            if invocation.output == Output::Human && invocation.stdout_is_terminal =>
        {
            Exit::RolledBack
        }
        (None, End::RolledBack(why)) => {
            return Err(Failure::new(
                Exit::RolledBack,
                format!("rolled back: {why}"),
            ));
        }
        (None, End::Held | End::RollbackIncomplete(_) | End::Nothing) => Exit::Failed,
    })
}

/// The blue image to record: none where the journal knows one already.
fn blue_image(
    wish: &Wish,
    journal: &Journal,
    invocation: &Invocation,
) -> Result<Option<String>, Failure> {
    match (journal.release().blue_image(), &wish.image_blue) {
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "--image-blue: missing; the journal knows no blue image yet, so name the one that serves now",
        )),
        (None, Some(given)) => Ok(Some(given.clone())),
        (Some(known), Some(given)) if known != given => {
            // From green_live the roles swap, so what is live is what becomes blue.
            invocation.warn(&format!(
                "--image-blue: {} is not what the journal says; {} is used",
                Seen(given),
                Seen(known)
            ));
            Ok(None)
        }
        (Some(_), _) => Ok(None),
    }
}

/// An id no release had before: when, and 32 random bits.
fn new_release_id(now: Timestamp) -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    let when: String = now
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == 'T')
        .take(15)
        .collect();
    format!("{}-{:08x}", when.replace('T', "-"), random >> 32)
}

pub(super) fn client(ca_file: Option<&std::path::Path>) -> Result<Client, Failure> {
    Client::new(ca_file).map_err(|why| Failure::new(Exit::Usage, format!("--ca-file: {why}")))
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|why| Failure::new(Exit::Failed, format!("cannot start the runtime: {why}")))
}
