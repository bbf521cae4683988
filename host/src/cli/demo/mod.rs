//! `halcyon demo`: the main job on one machine, with real processes.

mod commands;
mod control;
mod crowd;
mod edge;
mod hold;
mod lost;
mod pools;
mod process;
mod region;
mod releases;
mod sandbox;
mod stage;
mod stop;
mod story;
mod tenants;
mod traffic;

use super::{Exit, Failure, Invocation};
use sandbox::Sandbox;
use stage::Stage;
use stop::Stop;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Draw the thousand tenants from this number, so that the same ones come again; any number without
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// After the story keep everything running, tenants included, and say where the dashboard is, until Ctrl-C
    #[arg(long)]
    hold: bool,
    /// Keep the journals, tokens and logs, and say where they are
    #[arg(long)]
    keep: bool,
}

/// Plays the story, then ends every process and removes every file it made, Ctrl-C included.
pub(super) fn run(args: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let sandbox = Sandbox::new()?;
    let mut stage = Stage::new(invocation);
    let runtime = super::release::runtime()?;
    let (told, left) = runtime.block_on(async {
        let stop = Stop::listen().map_err(|why| {
            Failure::new(Exit::Failed, format!("cannot listen to signals: {why}"))
        })?;
        let told = story::tell(&sandbox, &args, &stop, &mut stage).await;
        // Whatever has ended the story, nothing of it runs on.
        Ok((told, sandbox.left_running().await))
    })?;
    if args.keep {
        let kept = sandbox.path().display().to_string();
        invocation.say(format_args!("kept: {kept}"));
        stage.fact("kept", kept.into());
    } else {
        sandbox.remove()?;
    }
    let told = told?;
    if left > 0 {
        return Err(story::unexpected(&format!("{left} processes run on")));
    }
    stage.close(told.exit, &told.farewell, args.keep)?;
    Ok(told.exit)
}
