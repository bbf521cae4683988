//! `halcyon release`: a whole blue/green release, or the rest of one.

mod args;
mod dry_run;
mod live;
mod resume;
pub(super) mod show;

use std::path::PathBuf;
use std::time::Instant;

use halcyon_core::config::RegionConfig;
use halcyon_core::release::{Command, Context, Phase, Plan};
use halcyon_core::text::Seen;

use args::Wish;
pub(super) use args::{Args, parse_deadline};

use super::control::{HOOK_OF_THE_SERVER, under_way};
use super::settle::{driver, heard};
use super::{Exit, Failure, Invocation, Output, prose, remote};
use crate::clock;
use crate::driver::{Cause, Driver, End};
use crate::engine::new_release_id;
use crate::journal::{DriverLock, Holder, Journal};
use crate::net::Client;
use crate::net::api::Api;

pub(super) use crate::driver::HOOK_TIMEOUT;

const GO_ON: &str =
    "`halcyon release --resume` goes on with it, `halcyon rollback --reason …` ends it.";

/// Runs it.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &invocation
        .over_store(args.store.clone())
        .over_server()
        .with(&[("HEALTH_PORT", args.health_port.clone())]);
    if args.resume {
        return resume::run(&args, invocation);
    }
    let (wish, settings) = Wish::read(&args, invocation)?;
    if let Some(api) = remote::server(invocation, args.ca_file.as_deref())? {
        return begin_there(api, &args, &wish, invocation);
    }
    let client = client(args.ca_file.as_deref())?;
    if args.dry_run {
        return runtime()?.block_on(dry_run::run(&wish, &settings, client, invocation));
    }
    let (config, _) = RegionConfig::read(invocation);
    let known = config.regions.iter().map(|region| region.as_str());
    warn_of_others(&wish.plan, known, invocation);
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
    let observer = show::observer(invocation);
    if settings.actor.authorise().is_err() {
        // Refused before anything else, and recorded.
        show::append(&mut journal, &command, &context, &*observer, invocation)?;
    }
    let decided = journal.release().decide(&command, &context);
    decided.map_err(|refused| under_way(refused.into(), GO_ON))?;
    promotion_is_everywhere(&journal)?;
    let Some(_lock) = DriverLock::try_acquire(journal.dir())? else {
        let holder = Holder::name(DriverLock::holder(journal.dir()));
        return Err(Failure::new(
            Exit::Refused,
            format!("{holder} drives a release in this store"),
        )
        .hint("`halcyon status` shows it."));
    };
    // Before anything is on record: a disk may take its time, and a signal then is about the release.
    let signals = runtime.block_on(async { heard() })?;
    show::append(&mut journal, &command, &context, &*observer, invocation)
        .map_err(|error| under_way(error, GO_ON))?;
    let end = runtime.block_on(async {
        let mut driver = driver(journal, &settings, client, HOOK_TIMEOUT, observer, signals);
        driver.deadline = wish.deadline.map(|patience| Instant::now() + patience);
        drive(&mut driver, invocation).await
    })?;
    conclude(end, invocation)
}

/// Says which of the regions that there are a release is not told of: its green gets its share there all the same.
pub(super) fn warn_of_others<'r>(
    plan: &Plan,
    known: impl Iterator<Item = &'r str>,
    invocation: &Invocation,
) {
    let is_of_it = |name: &&str| plan.regions.iter().any(|region| region.name == **name);
    let (of_it, others): (Vec<&str>, Vec<&str>) = known.partition(is_of_it);
    if of_it.is_empty() || others.is_empty() {
        return;
    }
    let others: Vec<String> = others.into_iter().map(prose::short).collect();
    invocation.warn(&format!(
        "--region: green gets its share in {} too, and nobody probes it there or runs the hook",
        others.join(", ")
    ));
}

/// Has a control plane do it.
fn begin_there(
    api: Api,
    args: &Args,
    wish: &Wish,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let mut problems = Vec::new();
    if wish.plan.on_step.is_some() {
        problems.push(HOOK_OF_THE_SERVER.to_owned());
    }
    if args.dry_run {
        problems.push("--dry-run: asks regions from here, and with HALCYON_SERVER the server asks them; allowed: without HALCYON_SERVER".to_owned());
    }
    if !problems.is_empty() {
        return Err(Failure::usage(problems));
    }
    let command = Command::ProvisionGreen {
        image: wish.image_green.clone(),
        blue_image: None,
        plan: None,
    };
    remote::permitted_here(&command, invocation)?;
    let begin = remote::Begin {
        image_blue: wish.image_blue.as_deref(),
        image_green: &wish.image_green,
        regions: &args.region,
        plan: &wish.plan,
        deadline: wish.deadline,
    };
    runtime()?.block_on(remote::begin(api, &begin, invocation))
}

/// The promotion of the release before must have reached every region: a new release would drop it.
fn promotion_is_everywhere(journal: &Journal) -> Result<(), Failure> {
    let open: Vec<_> = journal
        .release()
        .unconfirmed()
        .map(|region| prose::short(&region.name))
        .collect();
    if journal.release().phase() != Phase::GreenLive || open.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the promotion of the last release has not reached {}",
        open.join(", ")
    );
    Err(Failure::new(Exit::Refused, what).hint("`halcyon release --resume` brings it there."))
}

async fn drive(
    driver: &mut Driver,
    invocation: &Invocation,
) -> Result<(End, Option<Cause>), Failure> {
    let end = driver.run().await;
    driver.observer.close();
    show::outcome(driver.journal.ledger(), invocation)?;
    end.map_err(|why| match Failure::from(why) {
        failure if failure.exit == Exit::AuditBroken => failure,
        failure => {
            failure.hint("What is on record stays in force. `halcyon release --resume` goes on.")
        }
    })
}

/// How a release ended, and what ended it before its plan did.
pub(super) type Ended = (End, Option<Cause>);

pub(super) fn conclude((end, cause): Ended, invocation: &Invocation) -> Result<Exit, Failure> {
    if let End::RollbackIncomplete(why) = &end {
        return Err(Failure::new(
            Exit::RollbackIncomplete,
            format!("rollback incomplete: {why}"),
        )
        .hint("Mend what failed, then `halcyon rollback --reason …` tries again; its --on-step does it with another hook."));
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
        (Some(known), given) => {
            compare_blue(known, given.as_deref(), invocation);
            Ok(None)
        }
    }
}

/// Says so where the blue image that was named is another one than the journal's.
pub(super) fn compare_blue(known: &str, given: Option<&str>, invocation: &Invocation) {
    if let Some(given) = given.filter(|given| *given != known) {
        // From green_live the roles swap, so what is live is what becomes blue.
        invocation.warn(&format!(
            "--image-blue: {} is not what the journal says; {} is used",
            Seen(given),
            Seen(known)
        ));
    }
}

pub(super) fn client(ca_file: Option<&std::path::Path>) -> Result<Client, Failure> {
    Client::new(ca_file).map_err(|why| Failure::new(Exit::Usage, format!("--ca-file: {why}")))
}

/// A runtime whose end waits for nothing: a name that is still being resolved must not hold up an exit.
pub(super) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(super) fn block_on<F: Future<Output = Result<T, Failure>>, T>(
        &self,
        future: F,
    ) -> Result<T, Failure> {
        match &self.0 {
            Some(runtime) => runtime.block_on(future),
            None => Err(Failure::new(Exit::Failed, "the runtime has ended")),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map(|runtime| Runtime(Some(runtime)))
        .map_err(|why| Failure::new(Exit::Failed, format!("cannot start the runtime: {why}")))
}
