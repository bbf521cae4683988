//! The step hook: a command of the user's that makes a change in one region.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::http::Method;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::release::{Action, RegionFailure, RegionTarget, Weight};
use halcyon_core::text::{Seen, for_screen, json, without_userinfo};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::probe::join_all;
use super::task::{Report, stopped};
use super::{Doing, Observer, World};
use crate::journal::HookLock;
use crate::net::api::{Api, Ask};

/// How long a hook that is to stop has before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// How much of a hook's output is kept, for the message if it fails.
const OUTPUT_KEPT: usize = 4096;

/// What a hook learns, besides its region.
pub(super) struct Environment<'a> {
    pub(super) action: Action,
    pub(super) weight: Weight,
    pub(super) image: &'a str,
    pub(super) release_id: &'a str,
    pub(super) on_step: &'a str,
    pub(super) directory: Option<&'a str>,
}

/// Runs the hook in every region at once.
pub(super) async fn apply(
    world: &World,
    observer: &dyn Observer,
    environment: &Environment<'_>,
    regions: &[RegionTarget],
    cancelled: watch::Receiver<bool>,
) -> Report {
    let lock = tokio::select! {
        lock = world.hooks.lock(observer) => lock,
        () = stopped(cancelled.clone()) => return Report::Cancelled,
    };
    let runs = regions.iter().map(|region| {
        let cancelled = cancelled.clone();
        async move {
            observer.region(&region.name, Doing::Hook(environment.action));
            let result = match webhook(environment.on_step) {
                Some(at) => call(world, at, environment, &region.name, cancelled).await,
                None => run(world, lock, environment, &region.name, cancelled).await,
            };
            observer.region(
                &region.name,
                Doing::Hooked(environment.action, result.clone()),
            );
            (region.name.clone(), result)
        }
    });
    let mut confirmed = Vec::new();
    let mut failures = Vec::new();
    for (region, result) in join_all(runs).await {
        match result {
            Ok(()) => confirmed.push(region),
            Err(why) => failures.push(RegionFailure { region, why }),
        }
    }
    if *cancelled.borrow() {
        return Report::Cancelled;
    }
    Report::Applied {
        change: environment.action,
        weight: environment.weight,
        confirmed,
        failures,
    }
}

/// Where a hook is that is an address and no command.
fn webhook(on_step: &str) -> Option<Result<Endpoint, String>> {
    let address = ["http://", "https://"]
        .iter()
        .any(|scheme| on_step.starts_with(scheme));
    address.then(|| Endpoint::parse_http(on_step))
}

/// Whether a hook is a command of this machine, and no address.
pub(crate) fn is_command(on_step: &str) -> bool {
    webhook(on_step).is_none()
}

/// Whether a hook can be one: an address, or a command that `/bin/sh` can parse. It is on record with the plan, so
/// that one which can never run could never be mended. Runs the shell, which runs nothing.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_hook(on_step: &str) -> Result<(), String> {
    if let Some(at) = webhook(on_step) {
        return at.map(drop);
    }
    let allowed = "allowed: a command of /bin/sh, or an http(s) address";
    if on_step.trim_ascii().is_empty() && !on_step.is_empty() {
        return Err(format!("{} is no command; {allowed}", Seen(on_step)));
    }
    let parsed = std::process::Command::new("/bin/sh")
        .args(["-n", "-c", on_step])
        .stdin(Stdio::null())
        .output();
    match parsed {
        // Without a shell there may be one where it runs.
        Err(_) => Ok(()),
        Ok(parsed) if parsed.status.success() => Ok(()),
        Ok(parsed) => {
            let said = String::from_utf8_lossy(&parsed.stderr);
            let said = for_screen(&without_userinfo(said.trim(), false));
            Err(format!(
                "{} is no command: {said}; {allowed}",
                Seen(on_step)
            ))
        }
    }
}

/// What a webhook is sent.
#[derive(Serialize)]
struct Told<'a> {
    action: &'a str,
    region: &'a str,
    weight: u8,
    image: &'a str,
    release_id: &'a str,
}

/// Tells a webhook to make the change; any 2xx says that it has.
async fn call(
    world: &World,
    at: Result<Endpoint, String>,
    environment: &Environment<'_>,
    region: &str,
    cancelled: watch::Receiver<bool>,
) -> Result<(), String> {
    let at = at.map_err(|why| format!("--on-step: {why}"))?;
    let (action, weight) = (environment.action.name(), environment.weight.percent());
    let release_id = environment.release_id;
    let body = Told {
        action,
        region,
        weight,
        image: environment.image,
        release_id,
    };
    // After a crash it is asked for again: this says that it is the same.
    let key = format!("{release_id}/{action}/{weight}/{region}");
    let ask = Ask {
        method: Method::POST,
        path: "",
        key: Some(&key),
        body: Some(json(&body)),
    };
    let api = Api::over(&world.client, at);
    tokio::select! {
        reply = api.ask_within(world.hook_timeout, &ask) => match reply {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(reply) => {
                let said = String::from_utf8_lossy(&reply.body);
                Err(format!("--on-step answered {}; expected 2xx: {}", reply.status, shown(said.trim())))
            }
            Err(why) => Err(format!("--on-step: {why}")),
        },
        () = stopped(cancelled) => Err("--on-step was stopped: another change is in force".to_owned()),
    }
}

async fn run(
    world: &World,
    lock: Option<&HookLock>,
    environment: &Environment<'_>,
    region: &str,
    cancelled: watch::Receiver<bool>,
) -> Result<(), String> {
    let stdin = match lock {
        Some(lock) => Stdio::from(
            lock.share()
                .map_err(|why| format!("cannot start --on-step: {why}"))?,
        ),
        None => Stdio::null(),
    };
    let mut command = Command::new("/bin/sh");
    if let Some(directory) = environment.directory {
        command.current_dir(directory);
    }
    let mut child = command
        .args(["-c", environment.on_step])
        .env("HALCYON_ACTION", environment.action.name())
        .env("HALCYON_REGION", region)
        .env("HALCYON_WEIGHT", environment.weight.to_string())
        .env("HALCYON_IMAGE", environment.image)
        .env("HALCYON_RELEASE_ID", environment.release_id)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C at the terminal is the driver's to act on, and a hook is ended with
        // everything it started.
        .process_group(0)
        .spawn()
        .map_err(|why| match environment.directory {
            Some(directory) => format!(
                "cannot start --on-step with /bin/sh in {}: {why}",
                for_screen(directory)
            ),
            None => format!("cannot start --on-step with /bin/sh: {why}"),
        })?;
    // Known before it is waited for: then it has no number any more, and its group may still have members.
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = tokio::spawn(last_output(child.stdout.take(), child.stderr.take()));
    let status = tokio::select! {
        status = child.wait() => status.map_err(|why| format!("--on-step: {why}"))?,
        () = stopped(cancelled) => {
            end(&mut child, group).await;
            return Err("--on-step was stopped: another change is in force".to_owned());
        }
        () = tokio::time::sleep(world.hook_timeout) => {
            end(&mut child, group).await;
            return Err(format!("--on-step did not end within {} s", world.hook_timeout.as_secs()));
        }
    };
    if status.success() {
        return Ok(());
    }
    // What it left in the background would make its change after the next one.
    end(&mut child, group).await;
    let output = tokio::time::timeout(Duration::from_millis(200), output).await;
    let said = output.ok().and_then(Result::ok).unwrap_or_default();
    Err(describe(status, &said))
}

/// Ends a hook and everything in its group: politely first. Returns when the whole group is gone, so
/// that nothing of it takes effect after what comes next.
async fn end(child: &mut Child, group: Option<Pid>) {
    let Some(group) = group else {
        return;
    };
    for (signal, patience) in [
        (Signal::TERM, GRACE),
        (Signal::KILL, Duration::from_secs(5)),
    ] {
        let _ = kill_process_group(group, signal);
        let gone = async {
            let _ = child.wait().await;
            while test_kill_process_group(group).is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(patience, gone).await.is_ok() {
            return;
        }
    }
}

/// The beginning of what a hook has said, without the credentials of addresses: it goes on record.
fn shown(said: &str) -> String {
    let said = without_userinfo(said, false);
    for_screen(&said.chars().take(200).collect::<String>())
}

fn describe(status: ExitStatus, said: &str) -> String {
    let what = match status.code() {
        Some(code) => format!("--on-step ended with exit code {code}"),
        None => format!("--on-step was ended by {status}"),
    };
    match said
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
    {
        Some(last) => format!("{what}: {}", shown(last)),
        None => what,
    }
}

/// The end of what a hook says on both its outputs.
async fn last_output(
    stdout: Option<tokio::process::ChildStdout>,
    stderr: Option<tokio::process::ChildStderr>,
) -> String {
    async fn tail(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> Vec<u8> {
        let mut kept = Vec::new();
        let Some(mut stream) = stream else {
            return kept;
        };
        let mut block = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut block).await {
            kept.extend_from_slice(&block[..n]);
            kept.drain(..kept.len().saturating_sub(OUTPUT_KEPT));
        }
        kept
    }
    let (mut out, err) = tokio::join!(tail(stdout), tail(stderr));
    out.push(b'\n');
    out.extend(err);
    String::from_utf8_lossy(&out).into_owned()
}
