//! `halcyon promote`, `pause`, `resume` and `rollback`: a person's word on the release under way.

use std::path::PathBuf;

use halcyon_core::config::Settings;
use halcyon_core::release::{Command, Context, Phase, Rejection};

use super::release::{runtime, show};
use super::settle::settle;
use super::{Exit, Failure, Invocation, prose, remote};
use crate::driver::{Cause, End, check_hook};
use crate::journal::{Journal, JournalError, driver_alive};

/// What is said where a server has the release.
pub(super) const HOOK_OF_THE_SERVER: &str =
    "--on-step: with HALCYON_SERVER the hook is the server's; allowed: STEP_HOOK there";

/// What these commands share.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// The journal [env: HALCYON_STORE] [default: file:logs]
    #[arg(long, value_name = "file:DIR")]
    store: Option<String>,
}

impl StoreArgs {
    /// The invocation with these flags in force.
    pub(super) fn over(self, invocation: &Invocation) -> Invocation {
        invocation.over_store(self.store)
    }
}

/// Arguments of `promote`.
#[derive(Debug, clap::Args)]
pub(super) struct PromoteArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    /// Why; it is recorded
    #[arg(long, default_value = "paused by hand", allow_hyphen_values = true)]
    reason: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    /// Why; it is recorded
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
    /// Command or address to bring it to the regions with in place of the release's own step hook, where that
    /// one cannot do it any more
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    on_step: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// One command appended, and what to go on with.
struct Said {
    journal: Journal,
    settings: Settings,
    /// How many records it brought about.
    records: usize,
    /// The state before it.
    before: Phase,
}

fn say(command: &Command, invocation: &Invocation) -> Result<Said, Failure> {
    let settings = invocation.settings_of_store()?;
    let mut journal = Journal::open(PathBuf::from(&settings.store_dir))?;
    let before = journal.release().phase();
    let context = Context {
        actor: &settings.actor,
        kill_switch: settings.features.kill_switch(),
        new_release_id: "",
    };
    let observer = show::observer(invocation);
    let records = show::append(&mut journal, command, &context, &*observer, invocation)?;
    Ok(Said {
        journal,
        settings,
        records,
        before,
    })
}

/// Makes green live now.
pub(super) fn promote(args: PromoteArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    if let Some(api) = remote::server(invocation, None)? {
        remote::permitted_here(&Command::PromoteGreen, invocation)?;
        return runtime()?.block_on(remote::promote(api, invocation));
    }
    let said = say(&Command::PromoteGreen, invocation)?;
    let dir = said.journal.dir().to_owned();
    let end = brought(said, invocation, None)?;
    show::outcome(Journal::open(dir)?.ledger(), invocation)?;
    match end {
        (_, Some(Cause::Signal(signal))) => Ok(Exit::Signalled(signal.exit_code())),
        (End::RollbackIncomplete(why), _) => Err(Failure::new(
            Exit::RollbackIncomplete,
            format!("rollback incomplete: {why}"),
        )),
        (End::RolledBack(why), _) => Err(Failure::new(
            Exit::RolledBack,
            format!("rolled back: {why}"),
        )),
        _ => Ok(Exit::Done),
    }
}

/// Gives blue everything, and waits until every region has confirmed.
pub(super) fn rollback(args: RollbackArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    let instead = args.on_step.filter(|command| !command.is_empty());
    let wrong = instead.as_deref().map(check_hook).transpose();
    wrong.map_err(|why| Failure::new(Exit::Usage, format!("--on-step: {why}")))?;
    if let Some(api) = remote::server(invocation, None)? {
        if instead.is_some() {
            return Err(Failure::new(Exit::Usage, HOOK_OF_THE_SERVER));
        }
        return runtime()?.block_on(remote::rollback(api, &args.reason, invocation));
    }
    let cannot_write = |failure: Failure| match failure.exit {
        // Nobody else will put it on record: that takes a person.
        Exit::Failed => Failure {
            exit: Exit::RollbackIncomplete,
            ..failure
        },
        _ => failure,
    };
    let said = say(
        &Command::RollbackToBlue {
            reason: args.reason,
        },
        invocation,
    )
    .map_err(cannot_write)?;
    if said.before == Phase::Idle {
        let store = prose::short(&said.settings.store_dir);
        invocation.say(format_args!(
            "nothing to roll back in {store}: blue already serves everybody; recorded all the same"
        ));
    }
    let dir = said.journal.dir().to_owned();
    let end = brought(said, invocation, instead).map_err(cannot_write)?;
    // It is done by now, or has a word of its own: that it cannot be shown is another thing.
    show::outcome(Journal::open(dir)?.ledger(), invocation)?;
    match end {
        (_, Some(Cause::Signal(signal))) => Ok(Exit::Signalled(signal.exit_code())),
        (End::RollbackIncomplete(why), _) => Err(Failure::new(
            Exit::RollbackIncomplete,
            format!("rollback incomplete: {why}"),
        )
        .hint(
            "Blue has all the weight on record. Mend what the hook needs, then run `halcyon rollback` again; `--on-step CMD` does it with another one.",
        )),
        _ => Ok(Exit::Done),
    }
}

/// Waits until what was said is so in every region.
fn brought(
    said: Said,
    invocation: &Invocation,
    on_step: Option<String>,
) -> Result<(End, Option<Cause>), Failure> {
    let client = super::release::client(None)?;
    let settled = settle(said.journal, &said.settings, invocation, client, on_step);
    super::release::runtime()?.block_on(settled)
}

/// Holds the release.
pub(super) fn pause(args: PauseArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    if let Some(api) = remote::server(invocation, None)? {
        return runtime()?.block_on(remote::pause(api, &args.reason, invocation));
    }
    let said = say(
        &Command::Pause {
            reason: args.reason,
        },
        invocation,
    )?;
    if said.records == 0 {
        invocation.say("it is paused already");
    }
    show::outcome(said.journal.ledger(), invocation)?;
    Ok(Exit::Done)
}

/// Lets a paused release go on.
pub(super) fn resume(args: ResumeArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &args.store.over(invocation);
    if let Some(api) = remote::server(invocation, None)? {
        remote::permitted_here(&Command::Resume, invocation)?;
        return runtime()?.block_on(remote::resume(api, invocation));
    }
    let said = say(&Command::Resume, invocation)?;
    if !driver_alive(said.journal.dir()) {
        invocation.say("no process drives it: `halcyon release --resume` goes on");
    }
    show::outcome(said.journal.ledger(), invocation)?;
    Ok(Exit::Done)
}

/// An error, with the command that helps where it is a refusal by the state.
pub(super) fn under_way(error: JournalError, hint: &str) -> Failure {
    let by_state = matches!(error, JournalError::Refused(Rejection::State { .. }));
    let failure = Failure::from(error);
    if by_state {
        failure.hint(hint)
    } else {
        failure
    }
}
